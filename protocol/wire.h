/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a wire structure is declared.
 *
 * A structure is one list of fields. From the list come the wire struct
 * (little-endian, naturally aligned, no padding), its host-order twin, and a
 * descriptor that the one encoder, the one decoder, the fuzzers, the
 * golden files, nacre-wiredump and the manual all read. See codec.h.
 *
 *	F(bits, name, doc)	unsigned integer of 8, 16, 32 or 64 bits
 *	R(bits, name)		reserved: sent as zero, refused otherwise
 *	T(name, max, doc)	variable tail: a 32-bit length `name_bytes` in the
 *				fixed part (0..max), the bytes behind it, in the
 *				order of the list
 *
 * This header owns integer conversion and the declaring macros. It does not
 * know any message. No allocation, no locks, no #ifdef __KERNEL__: the kernel
 * and user space both have <linux/types.h>.
 */
#ifndef NACRE_WIRE_H
#define NACRE_WIRE_H

#include <linux/types.h>
#include <linux/string.h>
#include <linux/stddef.h>

#ifndef __force
#define __force
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NACRE_SWAP(bits, v) (v)
#else
#define NACRE_SWAP(bits, v) __builtin_bswap##bits(v)
#endif

static inline __u16 nacre_le16(__le16 v) { return NACRE_SWAP(16, (__force __u16)v); }
static inline __u32 nacre_le32(__le32 v) { return NACRE_SWAP(32, (__force __u32)v); }
static inline __u64 nacre_le64(__le64 v) { return NACRE_SWAP(64, (__force __u64)v); }
static inline __le16 nacre_to_le16(__u16 v) { return (__force __le16)NACRE_SWAP(16, v); }
static inline __le32 nacre_to_le32(__u32 v) { return (__force __le32)NACRE_SWAP(32, v); }
static inline __le64 nacre_to_le64(__u64 v) { return (__force __le64)NACRE_SWAP(64, v); }

/* Wire and host types by width. */
#define NACRE_WIRE_8 __u8
#define NACRE_WIRE_16 __le16
#define NACRE_WIRE_32 __le32
#define NACRE_WIRE_64 __le64
#define NACRE_HOST_8 __u8
#define NACRE_HOST_16 __u16
#define NACRE_HOST_32 __u32
#define NACRE_HOST_64 __u64

enum nacre_field_kind {
	NACRE_FIELD_INT,
	NACRE_FIELD_RESERVED,
	NACRE_FIELD_TAIL,
};

/* One field of a structure, as the codec, the dump and the manual see it. */
struct nacre_field {
	const char *name;
	const char *doc;
	__u32 max;		/* tail: longest length in bytes; else 0 */
	__u16 wire_offset;	/* of the integer, or of the tail's 32-bit length */
	__u16 host_offset;	/* of the integer, or of the tail's length */
	__u16 host_pointer;	/* tail: where the host struct keeps the pointer */
	__u8 kind;		/* enum nacre_field_kind */
	__u8 bits;		/* 8, 16, 32, 64 */
};

/* One structure. */
struct nacre_struct {
	const char *name;
	const struct nacre_field *fields;
	__u16 field_count;
	__u16 wire_bytes;	/* size of the fixed part */
	__u16 host_bytes;	/* size of the host struct */
	__u16 tail_count;	/* of the fields */
};

/* The wire struct: fixed part only. */
#define NACRE_WF(bits, name, doc) NACRE_WIRE_##bits name;
#define NACRE_WR(bits, name) NACRE_WIRE_##bits name;
#define NACRE_WT(name, max, doc) __le32 name##_bytes;

/* The host struct: reserved fields vanish, tails become pointer and length. */
#define NACRE_HF(bits, name, doc) NACRE_HOST_##bits name;
#define NACRE_HR(bits, name)
#define NACRE_HT(name, max, doc) __u32 name##_bytes; const __u8 *name;

/* Bytes in the fixed part, summed from the list: proves there is no padding. */
#define NACRE_SF(bits, name, doc) + (bits) / 8
#define NACRE_SR(bits, name) + (bits) / 8
#define NACRE_ST(name, max, doc) + 4

/* Tails in the list. */
#define NACRE_CF(bits, name, doc)
#define NACRE_CR(bits, name)
#define NACRE_CT(name, max, doc) + 1

/* Descriptor rows, inside a function that knows self_wire and self_host. */
#define NACRE_DF(bits_, name_, doc_)						\
	{ .name = #name_, .doc = doc_, .kind = NACRE_FIELD_INT, .bits = bits_,	\
	  .wire_offset = __builtin_offsetof(self_wire, name_),				\
	  .host_offset = __builtin_offsetof(self_host, name_) },
#define NACRE_DR(bits_, name_)							\
	{ .name = #name_, .doc = "zero", .kind = NACRE_FIELD_RESERVED,		\
	  .bits = bits_, .wire_offset = __builtin_offsetof(self_wire, name_) },
#define NACRE_DT(name_, max_, doc_)						\
	{ .name = #name_, .doc = doc_, .kind = NACRE_FIELD_TAIL, .bits = 32,	\
	  .max = max_,								\
	  .wire_offset = __builtin_offsetof(self_wire, name_##_bytes),			\
	  .host_offset = __builtin_offsetof(self_host, name_##_bytes),			\
	  .host_pointer = __builtin_offsetof(self_host, name_) },

/*
 * Declare `struct NAME` (host order), `struct NAME_wire`, and `NAME_desc()`,
 * which returns the descriptor; structs.c defines it from the same list.
 * BYTES is the size of the fixed part, written out so that a change of the
 * wire format never goes unseen.
 */
#define NACRE_STRUCT(name, LIST, bytes)						\
	struct name##_wire { LIST(NACRE_WF, NACRE_WR, NACRE_WT) };		\
	struct name { LIST(NACRE_HF, NACRE_HR, NACRE_HT) };			\
	_Static_assert(sizeof(struct name##_wire) == (bytes),			\
		       #name ": size on the wire");				\
	_Static_assert((0 LIST(NACRE_SF, NACRE_SR, NACRE_ST)) == (bytes),	\
		       #name ": padding on the wire");				\
	const struct nacre_struct *name##_desc(void)

/* Define NAME_desc(); used by structs.c only. */
#define NACRE_STRUCT_DEFINE(name_, LIST)					\
	const struct nacre_struct *name_##_desc(void)				\
	{									\
		typedef struct name_##_wire self_wire;				\
		typedef struct name_ self_host;					\
		static const struct nacre_field fields[] = {			\
			LIST(NACRE_DF, NACRE_DR, NACRE_DT)			\
		};								\
		static const struct nacre_struct desc = {			\
			.name = #name_, .fields = fields,			\
			.field_count = sizeof(fields) / sizeof(fields[0]),	\
			.wire_bytes = sizeof(self_wire),			\
			.host_bytes = sizeof(self_host),			\
			.tail_count = 0 LIST(NACRE_CF, NACRE_CR, NACRE_CT),	\
		};								\
		return &desc;							\
	}

#endif
