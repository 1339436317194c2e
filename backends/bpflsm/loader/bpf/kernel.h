/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs use of the kernel: helpers by their numbers (linux/bpf.h),
 * and of its structs the fields that are read. Where these are in the running
 * kernel the loader finds out from its BTF (preserve_access_index).
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef _Bool bool;

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

/* Fields of a map definition in BTF. */
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_RDONLY_PROG = 1 << 7,
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static __u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static __u64 (*bpf_get_current_uid_gid)(void) = (void *)15;
static long (*bpf_get_current_comm)(void *buf, __u32 size) = (void *)16;
static __u64 (*bpf_get_current_task)(void) = (void *)35;
static long (*bpf_probe_read_user)(void *dst, __u32 size, const void *user) = (void *)112;
static long (*bpf_probe_read_kernel)(void *dst, __u32 size, const void *kernel) = (void *)113;
static void *(*bpf_ringbuf_reserve)(void *ringbuf, __u64 size, __u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;

#define read_kernel(dst, src) bpf_probe_read_kernel(&(dst), sizeof(dst), __builtin_preserve_access_index(&(src)))

#define __core __attribute__((preserve_access_index))

struct super_block {
	unsigned long s_magic;
} __core;

struct inode {
	struct super_block *i_sb;
} __core;

struct qstr {
	const unsigned char *name;
} __core;

struct dentry {
	struct qstr d_name;
} __core;

struct path {
	struct dentry *dentry;
} __core;

struct file {
	unsigned int f_mode;
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
} __core;

struct vfsmount {
	struct super_block *mnt_sb;
} __core;

struct hlist_nulls_node {
	void *pprev;
} __core;

struct sock_common {
	unsigned short skc_family;
	__u16 skc_num;
	struct hlist_nulls_node skc_nulls_node;
} __core;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
} __core;

struct socket {
	struct sock *sk;
} __core;

struct msghdr {
	void *msg_name;
	int msg_namelen;
	unsigned int msg_flags;
} __core;

struct mnt_namespace;

struct nsproxy {
	struct mnt_namespace *mnt_ns;
} __core;

struct task_struct {
	struct nsproxy *nsproxy;
} __core;

enum {
	EPERM = 1,
	ENOENT = 2,
	EAGAIN = 11,
	ENOMEM = 12,
	EACCES = 13,
	EFAULT = 14,
	EEXIST = 17,
	EINVAL = 22,
	ELOOP = 40,
	EPROTONOSUPPORT = 93,
	ESOCKTNOSUPPORT = 94,
	EAFNOSUPPORT = 97,
	ESTALE = 116,
	MAX_ERRNO = 4095,
};

/* linux/socket.h, linux/net.h, linux/in.h, linux/in6.h */
#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define MSG_FASTOPEN 0x20000000
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ntohs(port) __builtin_bswap16(port)
#else
#define ntohs(port) (port)
#endif
#define SIN_LEN 16 /* sizeof(struct sockaddr_in) */
#define SIN6_LEN_RFC2133 24

/* linux/prctl.h, linux/ptrace.h, linux/fs.h, linux/magic.h */
#define PR_GET_DUMPABLE 3
#define PTRACE_MODE_ATTACH 2
#define MNT_DETACH 2
#define SOCKFS_MAGIC 0x534F434B
#define BPF_FS_MAGIC 0xcafe4a11
#define PROC_SUPER_MAGIC 0x9fa0
#define FMODE_WRITE 2
