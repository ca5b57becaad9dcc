# SPDX-License-Identifier: GPL-2.0
#
# What suites and the demonstration share: a cluster in the guests' network, guests, mounts, counters, and checks that
# print TAP. Sourced by scripts on the host. One run has one folder, $WORK, with the cluster in $WORK/cluster and the
# guests' state in $WORK/vm; everything that was started ends when the script does.
#
# NACRE_MOUNT=tmpfs puts a tmpfs where nacre would be mounted and starts no servers: so the harness itself is tried out.
#
# HOST=1 puts this machine in the place of the guest; for the demonstration, on machines whose kernel takes the module.

. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
if [ "${HOST:-}" = 1 ]; then
	MACHINES=host HOST_IP=127.0.0.1
	export KERNEL=host MODULE=$BUILD/kernel-host/nacre.ko MOUNTPOINT=/run/nacre-demonstration/mnt
else
	MACHINES=vm HOST_IP=10.77.0.1 MODULE=/nacre/nacre.ko MOUNTPOINT=/mnt/nacre
fi
# Emulated guests are slow, and several of them share few processors: leases and deadlines are stretched, in percent.
TIME_SCALE=${NACRE_TIME_SCALE:-$(case $KERNEL in debug) echo 1000 ;; host) echo 100 ;; *) echo 400 ;; esac)}
# Time limits of single tests are stretched, too.
SLOW=${SLOW:-$([ "$KERNEL" = debug ] && echo 5 || echo 1)}
# A new incarnation waits for the old one's lease and for its clients.
export NACRE_READY_SECONDS=${NACRE_READY_SECONDS:-240}

work_begin() {
	WORK=$(realpath -m "$1")
	CLUSTER=$WORK/cluster
	export NACRE_VM_DIR=$WORK/vm
	if [ -d "$NACRE_VM_DIR" ]; then
		work_end > /dev/null 2>&1 || true
	fi
	rm -rf "$WORK"
	mkdir -p "$WORK"
	trap work_exit EXIT
}

# Ends everything; fails if a guest's kernel had complained.
work_end() {
	local bad=0
	vm down || bad=1
	[ ! -e "$CLUSTER/nacre.conf" ] || cluster kill $(cluster names) || true
	# the servers' disks are large and of no use when all went well
	rm -rf "$CLUSTER"/osd*.data "$CLUSTER"/osd*.kv
	return $bad
}

work_exit() {
	local status=$?
	trap - EXIT
	work_end || status=1
	exit $status
}

vm() { "$ROOT/tests/vm/$MACHINES" "$@"; }

# ---- servers ----------------------------------------------------------------------------------------------------
# The cluster's folder is a constant of the run, so it is not named again: cluster kill osd1
cluster() {
	local verb=$1
	shift
	[ "${NACRE_MOUNT:-}" != tmpfs ] || return 0
	case $verb in
	up | start) vm host -- "$ROOT/scripts/cluster" "$verb" "$CLUSTER" "$@" ;;
	*) "$ROOT/scripts/cluster" "$verb" "$CLUSTER" "$@" ;;
	esac
}

# The file system keeps the data of files of up to so many bytes in their inodes; INLINE=0: of none.
INLINE=${INLINE:-4096}
cluster_up() { cluster up --bind "$HOST_IP" --set time_scale="$TIME_SCALE" --inline "$INLINE" "$@"; }
cluster_restart() { cluster start $(cluster names osd) $(cluster names mds); }

# SIGKILL to all at once. What an MDS has counted dies with it, so evictions are taken note of before.
cluster_crash() {
	evictions_noted || return 1
	cluster kill $(cluster names)
}

# counter NAME COUNTER: a number from a daemon's counters, by its full name ("io.disk_syncs"); fails without such a one
counter() {
	cluster admin "$1" counters | awk -v daemon="$1" -v n="$2" '
		$1 == n { print $2; found = 1 }
		END { if (!found) { print daemon " has no counter " n > "/dev/stderr"; exit 1 } }'
}

# The sum of a counter over all daemons of a kind.
counter_sum() {
	local name value sum=0
	for name in $(cluster names "$1"); do
		value=$(counter "$name" "$2") || return 1
		sum=$((sum + value))
	done
	echo "$sum"
}

# ---- guests -----------------------------------------------------------------------------------------------------
guest() { # guest NAME COMMAND...: with SECONDS_LIMIT as time limit
	local name=$1
	shift
	vm exec --timeout "${SECONDS_LIMIT:-$((300 * SLOW))}" "$name" -- "$@"
}

# mount_nacre GUEST [FOLDER [OPTIONS]]
mount_nacre() {
	local folder=${2:-$MOUNTPOINT}
	if [ "${NACRE_MOUNT:-}" = tmpfs ]; then
		guest "$1" "mkdir -p $folder && mount -t tmpfs -o size=100% none $folder"
		return
	fi
	guest "$1" "grep -q '^nacre ' /proc/modules || insmod $MODULE || exit 1
		mkdir -p $folder && mount -t nacre ${3:+-o $3} $HOST_IP:/ $folder"
}

# umount_nacre GUEST [FOLDER]; its statistics go with it, so evictions are taken note of before
umount_nacre() {
	client_evictions_noted "$1" || return 1
	guest "$1" "umount ${2:-$MOUNTPOINT}"
}

# stat_of_mount GUEST NAME: a line of the statistics, summed over the guest's mounts; fails without such a line
stat_of_mount() {
	[ "${NACRE_MOUNT:-}" != tmpfs ] || { echo 0; return; }
	guest "$1" "cat /sys/kernel/debug/nacre/*/stats" | awk -v guest="$1" -v n="$2" '
		$1 == n { value += $2; found = 1 }
		END { if (found) print value; else { print guest " has no statistic " n > "/dev/stderr"; exit 1 } }'
}

# counters_now GUEST: the mount's counters and those of the OSDs, "name value" a line
counters_now() {
	[ "${NACRE_MOUNT:-}" != tmpfs ] || return 0
	guest "$1" "cat /sys/kernel/debug/nacre/*/stats"
	echo "osd_disk_bytes $(counter_sum osd io.disk_bytes_written)"
	echo "osd_disk_syncs $(counter_sum osd io.disk_syncs)"
	echo "osd_journal_bytes $(counter_sum osd store.bytes_journal)"
	echo "osd_data_bytes $(counter_sum osd store.bytes_data)"
}

# little_tree FILE: an archive of 3,000 files of up to 4096 bytes, 100 in each of 30 folders
LITTLE_FILES=3000
little_tree() {
	local dir size
	rm -rf "$WORK/little"
	for dir in $(seq 30); do
		mkdir -p "$WORK/little/d$dir"
		for size in 1 333 1500 4096; do
			head -c $((25 * size)) /dev/urandom | split -a 2 -b "$size" - "$WORK/little/d$dir/f$size."
		done
	done
	tar -C "$WORK/little" --sort=name --owner=0 --group=0 --numeric-owner -cf "$1" .
	rm -r "$WORK/little"
}

# await COMMAND...: until it succeeds, under a time limit
await() {
	local end=$((SECONDS + 120 * SLOW))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# ---- evictions --------------------------------------------------------------------------------------------------
# Both sides count them, the MDSs and the mounts, and both forget when they end; noted so far is what those have seen
# that do not live any more.
EVICTIONS_BY_MDS=0 EVICTIONS_OF_CLIENTS=0

evictions_noted() {
	local evicted
	evicted=$(counter_sum mds mds.evictions) || return 1
	EVICTIONS_BY_MDS=$((EVICTIONS_BY_MDS + evicted))
}

client_evictions_noted() {
	local evicted
	guest "$1" "! grep -q '^[^ ]* [^ ]* nacre ' /proc/mounts" && return
	evicted=$(stat_of_mount "$1" evictions) || return 1
	EVICTIONS_OF_CLIENTS=$((EVICTIONS_OF_CLIENTS + evicted))
}

# No client was evicted, except those that the suite meant to: checked by every suite at its end, before it unmounts.
nobody_was_evicted() {
	local name
	evictions_noted || return 1
	for name in "$@"; do
		client_evictions_noted "$name" || return 1
	done
	echo "MDSs have evicted $EVICTIONS_BY_MDS clients; clients found themselves evicted $EVICTIONS_OF_CLIENTS times"
	[ "$EVICTIONS_BY_MDS" -eq "${EVICTIONS_MEANT:-0}" ] && [ "$EVICTIONS_OF_CLIENTS" -eq "${EVICTIONS_MEANT:-0}" ]
}

# ---- checks -----------------------------------------------------------------------------------------------------
CHECKS=0 CHECKS_FAILED=0

# check DESCRIPTION COMMAND...: one TAP line; the command's output is shown when it fails
check() {
	local what=$1 log=$WORK/check.log began=$SECONDS
	shift
	CHECKS=$((CHECKS + 1))
	if "$@" > "$log" 2>&1; then
		echo "ok $CHECKS - $what ($((SECONDS - began)) s)"
	else
		echo "# exit code $? of: $*"
		tail -n 40 "$log" | sed 's/^/# /'
		echo "not ok $CHECKS - $what"
		CHECKS_FAILED=$((CHECKS_FAILED + 1))
	fi
}

# Like check, for what has to work before anything else can: the suite ends there.
need() {
	local before=$CHECKS_FAILED
	check "$@"
	[ "$CHECKS_FAILED" -eq "$before" ] || exit 1
}

fails() { ! "$@"; }

labels_are_given() {
	guest "$1" "[ ! -e /sys/fs/selinux/load ] || {
		touch $MOUNTPOINT/l && getfattr -n security.selinux $MOUNTPOINT/l | grep -q :base_t && rm $MOUNTPOINT/l; }"
}

# The kselftest programs that one client runs.
POSIX_PROGRAMS="names rename links handles attributes flags quotas files small ranges extents mapped freeze races locks direct async readdir"

# run_programs GUEST FOLDER PROGRAM...: kselftest programs in a guest; their TAP is the suite's. SETTINGS is their
# environment, UNDER a command that runs them, TEST part of a test's name: the others are left out.
run_programs() {
	local name=$1 folder=$2 program began
	shift 2
	for program in "$@"; do
		echo "# $program"
		began=$SECONDS
		guest "$name" "SLOW=$SLOW ${SETTINGS:-} ${UNDER:-} /nacre/$program $folder ${TEST:-}" || CHECKS_FAILED=$((CHECKS_FAILED + 1))
		echo "# $program: $((SECONDS - began)) s"
	done
}

# turns PROGRAM SEED SERVER-GUEST FOLDER CLIENT-GUEST FOLDER: both sides of a program of tests/kselftest/turns.h; SETTINGS
# and UNDER as for run_programs
turns() {
	local serve began=$SECONDS under="SEED=$2 ${SETTINGS:-} ${UNDER:-} /nacre/$1"
	rm -f "$WORK/serve.tap"		# what the one before has said
	guest "$3" "$under serve $4/turns$2 4$2" > "$WORK/serve.tap" 2>&1 &
	serve=$!
	while ! grep -s '^# ready' "$WORK/serve.tap" > /dev/null; do
		kill -0 $serve 2> /dev/null || break
		sleep 0.1
	done
	guest "$5" "$under join $6/turns$2 $(vm ip "$3") 4$2"
	side_ended $? "$1 $2, joining"
	wait $serve
	set -- $? "$1 $2, serving"
	cat "$WORK/serve.tap"
	side_ended "$@"
	echo "# $2: $((SECONDS - began)) s"
}

# side_ended CODE WHO: a side that memory failed has skipped the rest, and has not said so in TAP
side_ended() {
	case $1 in
	0) ;;
	4) printf 'TAP version 13\n1..1\nok 1 - %s # SKIP\n' "$2" ;;
	*) CHECKS_FAILED=$((CHECKS_FAILED + 1)) ;;
	esac
}

# appends KIND COUNT FOLDER-A GUEST-B FOLDER-B: both append COUNT records to one file at once; KIND is "" or "-long"
appends() {
	local writer
	SECONDS_LIMIT=$((300 * SLOW)) guest a "/nacre/append write$1 $3/appends 0 $2" &
	writer=$!
	SECONDS_LIMIT=$((300 * SLOW)) guest "$4" "/nacre/append write$1 $5/appends 1 $2" && wait $writer &&
		guest a "/nacre/append check$1 $3/appends 2 $2" &&
		guest "$4" "/nacre/append check$1 $5/appends 2 $2 && rm $5/appends*"
}

# counts KIND COUNT FOLDER-A GUEST-B FOLDER-B: both raise one number COUNT times, each time under a lock
counts() {
	local other
	SECONDS_LIMIT=$((600 * SLOW)) guest a "/nacre/lockcount count $3/number $2 $1" &
	other=$!
	SECONDS_LIMIT=$((600 * SLOW)) guest "$4" "/nacre/lockcount count $5/number $2 $1" && wait $other &&
		guest a "/nacre/lockcount check $3/number $((2 * $2)) && rm $3/number"
}

# The end of a suite: nobody evicted, clean unload, silent kernels, and the plan.
finish() {
	local name
	check "no client was evicted" nobody_was_evicted "$@"
	for name in "$@"; do
		check "unmount and unload in $name" unload "$name"
	done
	check "the kernels had nothing to complain about" vm check
	echo "1..$CHECKS"
	[ "$CHECKS_FAILED" -eq 0 ]
}

# The kernel's leak detector, where there is one, finds nothing. It counts what is at least five seconds old.
no_leaks() {
	guest "$1" "cd /sys/kernel/debug; [ -e kmemleak ] || exit 0
		echo scan > kmemleak; sleep 6; echo scan > kmemleak; cat kmemleak; [ -z \"\$(cat kmemleak)\" ]"
}

# Leaks are looked for before the module goes: later its functions have no names.
unload() {
	umount_all "$1" && no_leaks "$1" && guest "$1" "! grep -q '^nacre ' /proc/modules || rmmod nacre"
}

umount_all() {
	guest "$1" "awk '\$3 == \"nacre\" || \$3 == \"tmpfs\" && \$2 ~ /^.mnt/ { print \$2 }' /proc/mounts | xargs -r umount"
}
