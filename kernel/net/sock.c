// SPDX-License-Identifier: GPL-2.0
/*
 * The TCP socket under a connection, and checksums over what passes through it.
 *
 * Sockets belong to the mount's network namespace, allocate without touching
 * file systems (write-back runs through them), and are reset, not drained, when
 * they are closed: what was queued must not go out once its pages may change.
 */
#include <linux/crc32c.h>
#include <linux/iov_iter.h>
#include <linux/tcp.h>
#include <net/tcp.h>
#include "../compat.h"
#include "internal.h"

#define KEEPALIVE_IDLE_MS 5000
#define KEEPALIVE_INTERVAL_MS 2000
#define KEEPALIVE_PROBES 3
#define USER_TIMEOUT_MS 15000		/* unacknowledged bytes: the peer is dead */

/* Locks of these sockets are taken below file system locks: they are a class of their own. */
static struct lock_class_key sock_keys[2], sock_lock_keys[2];

static void classify(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (sk->sk_family == AF_INET)
		sock_lock_init_class_and_name(sk, "slock-AF_INET-NACRE", &sock_keys[0],
					      "sk_lock-AF_INET-NACRE", &sock_lock_keys[0]);
	else
		sock_lock_init_class_and_name(sk, "slock-AF_INET6-NACRE", &sock_keys[1],
					      "sk_lock-AF_INET6-NACRE", &sock_lock_keys[1]);
}

static void on_data_ready(struct sock *sk)
{
	struct nacre_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = sk->sk_user_data;
	if (conn)
		nacre_conn_kick(conn);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void on_write_space(struct sock *sk)
{
	struct nacre_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = sk->sk_user_data;
	if (conn && sk_stream_is_writeable(sk)) {
		clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		nacre_conn_kick(conn);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void on_state_change(struct sock *sk)
{
	struct nacre_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = sk->sk_user_data;
	if (conn) {
		nacre_conn_kick(conn);
		conn->saved_state_change(sk);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void take_callbacks(struct nacre_conn *conn)
{
	struct sock *sk = conn->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	conn->saved_data_ready = sk->sk_data_ready;
	conn->saved_write_space = sk->sk_write_space;
	conn->saved_state_change = sk->sk_state_change;
	sk->sk_user_data = conn;
	sk->sk_data_ready = on_data_ready;
	sk->sk_write_space = on_write_space;
	sk->sk_state_change = on_state_change;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void give_callbacks_back(struct nacre_conn *conn)
{
	struct sock *sk = conn->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = conn->saved_data_ready;
	sk->sk_write_space = conn->saved_write_space;
	sk->sk_state_change = conn->saved_state_change;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* TCP counts keepalives in whole seconds. */
static int scaled_seconds(const struct nacre_fs *fs, unsigned int ms)
{
	return max_t(int, 1, jiffies_to_msecs(nacre_scaled_jiffies(fs, ms)) / 1000);
}

static void set_options(struct nacre_conn *conn)
{
	struct sock *sk = conn->sock->sk;

	sk->sk_allocation = GFP_NOFS;
	sk->sk_use_task_frag = false;
	sock_no_linger(sk);
	tcp_sock_set_nodelay(sk);
	sock_set_keepalive(sk);
	tcp_sock_set_keepidle(sk, scaled_seconds(conn->fs, KEEPALIVE_IDLE_MS));
	tcp_sock_set_keepintvl(sk, scaled_seconds(conn->fs, KEEPALIVE_INTERVAL_MS));
	tcp_sock_set_keepcnt(sk, KEEPALIVE_PROBES);
	tcp_sock_set_user_timeout(sk, jiffies_to_msecs(nacre_scaled_jiffies(conn->fs,
									   USER_TIMEOUT_MS)));
}

int nacre_sock_connect(struct nacre_conn *conn)
{
	struct sockaddr_storage address;
	int err, length;

	spin_lock(&conn->lock);
	address = conn->address;
	spin_unlock(&conn->lock);
	err = sock_create_kern(conn->fs->net, address.ss_family, SOCK_STREAM, IPPROTO_TCP,
			       &conn->sock);
	if (err) {
		conn->sock = NULL;
		return err;
	}
	classify(conn->sock);
	set_options(conn);
	take_callbacks(conn);
	length = address.ss_family == AF_INET ? sizeof(struct sockaddr_in)
					      : sizeof(struct sockaddr_in6);
	err = nacre_compat_connect(conn->sock, &address, length, O_NONBLOCK);
	return err == -EINPROGRESS ? 0 : err;
}

void nacre_sock_close(struct nacre_conn *conn)
{
	if (!conn->sock)
		return;
	give_callbacks_back(conn);
	kernel_sock_shutdown(conn->sock, SHUT_RDWR);
	sock_release(conn->sock);
	conn->sock = NULL;
}

int nacre_sock_status(struct nacre_conn *conn)
{
	struct sock *sk = conn->sock->sk;
	int err = sock_error(sk);

	if (err)
		return err;
	switch (READ_ONCE(sk->sk_state)) {
	case TCP_ESTABLISHED:
		return 0;
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		return -EINPROGRESS;
	default:
		return -ECONNREFUSED;
	}
}

/* ---- checksums ----------------------------------------------------------------------------- */

u32 nacre_crc32c(const void *bytes, size_t length)
{
	return ~crc32c(~0, bytes, length);
}

static size_t crc_step(void *base, size_t progress, size_t length, void *crc, void *lendable)
{
	u32 *value = crc;
	bool *may_lend = lendable;

	*value = crc32c(*value, base, length);
	if (may_lend && *may_lend)
		*may_lend = !IS_ENABLED(CONFIG_HIGHMEM) && virt_addr_valid(base) &&
			    sendpage_ok(virt_to_page(base));
	return 0;
}

u32 nacre_crc32c_iter(u32 crc, const struct iov_iter *iter, size_t length, bool *lendable)
{
	struct iov_iter walk = *iter;

	iterate_and_advance_kernel(&walk, length, &crc, lendable, crc_step);
	return crc;
}
