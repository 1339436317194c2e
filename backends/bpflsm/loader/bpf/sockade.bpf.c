// SPDX-License-Identifier: GPL-2.0-only
/*
 * One domain is one policy for a tree of tasks. A task is in a domain by its entry
 * in the map tasks, which task_alloc copies and task_free takes away; user space
 * can write neither map once they are frozen. The key is the address of the task:
 * task storage would be quicker where there is one, but before Linux 6.2 it can
 * fail to find what is there, and that would be an open sandbox. Most tasks are in no
 * domain: their marks say so without a look into the map.
 *
 * A domain that is not found denies. A program returns 0 or -errno: Linux 5.10 and
 * 6.1 do not check what an LSM program returns.
 */
#include "kernel.h"

char _license[] SEC("license") = "GPL";

enum {
	FAMILIES = 64,
	TYPES = 16,
	CELLS = FAMILIES * TYPES,
	SETS = 512,
	LISTED = 1024,
	MAX_DEPTH = 16,
	MAX_TASKS = 65536,
	MAX_DOMAINS = 4096,
	LOW_PROTOCOLS = 256,
	LAST_PROTOCOL = 65534,
	PORT_RANGES = 128,
	MARK_BITS = 14,
};

/* Sets of ports, by the operation that asks for one. */
enum {
	CONNECT_TCP,
	BIND_TCP,
	CONNECT_UDP,
	BIND_UDP,
	PORT_SETS,
};

/* What a cell of the table says about a family and type. */
enum {
	NO_FAMILY,
	NO_TYPE,
	ALLOWED,
	FIRST_SET, /* this and above: set 0 and above of protocols */
};

enum {
	POLICY_ALL = 1,
	POLICY_UNSUPPORTED = 2,
	POLICY_RECEIVE = 4,
	POLICY_PORTS = 1 << 8, /* << set: the set restricts */
};

/* The layout is known to backends/bpflsm/table.go. */
struct policy {
	__u64 flags;
	__u16 table[CELLS];
	__u64 low[SETS][LOW_PROTOCOLS / 64];
	__u32 listed[LISTED]; /* set << 16 | protocol, ascending, then ~0 */
	__u64 ports[PORT_SETS][PORT_RANGES]; /* first << 32 | last, ascending, then at least one 1 << 62 */
};

struct domain {
	__u64 parent; /* the id of the domain around it, or 0 */
	__u64 users; /* tasks and domains directly in it */
	__u64 denials;
	__u64 depth;
	__u64 flags; /* of the policy and of all around it */
	struct policy policy;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TASKS);
	__type(key, __u64); /* struct task_struct * */
	__type(value, __u64); /* id of a domain */
} tasks SEC(".maps");

/* What is known of all tasks whose addresses have the same hash. */
struct mark {
	/*
	 * How many of them are in domains. Counted up before an entry is made and down after
	 * it is gone: 0 says that there is none.
	 */
	__u64 members;
	/*
	 * The last request that was allowed, and to which of them: see tag(). A task that
	 * enters a domain or ends takes it away.
	 */
	__u64 allowed;
};

struct marks {
	struct mark of[1 << MARK_BITS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct marks);
} marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_DOMAINS);
	__type(key, __u64);
	__type(value, struct domain);
} domains SEC(".maps");

/* A domain to copy: it is too big for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct domain);
} blank SEC(".maps");

/* The layout is known to backends/bpflsm/loader/status_linux.go. */
struct denial {
	__u64 ktime;
	__u64 domain;
	__u32 pid, tid;
	__s32 family, type, protocol, errno;
	__s32 set, port; /* of a port that was denied; -1 for a socket */
	char comm[16];
};

const struct denial *denial_type __attribute__((unused)); /* has bpf2go know the type */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} denials SEC(".maps");

/* How many denials of this second are in the ring already, by CPU. */
struct budget {
	__u64 second;
	__u64 spent;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct budget);
} budgets SEC(".maps");

enum { DENIALS_PER_SECOND = 256 };

/*
 * The second argument of prctl(PR_GET_DUMPABLE) that is meant for this version of
 * the programs. That call ignores its other arguments.
 */
const volatile __u64 magic;

/* The mount namespace in which the links are pinned, as an address. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} home SEC(".maps");

/* Masks an index in a way that the compiler does not take away. */
#define bounded(index, mask) \
	({ \
		__u64 __i = (index); \
		asm volatile("%0 &= %1" : "+r"(__i) : "i"(mask)); \
		__i; \
	})

/*
 * Tells whether the sorted list has an entry. It has no branches: the verifier
 * would follow every one of them, and they would be mispredicted.
 */
static __always_inline bool is_listed(struct policy *p, __u32 want)
{
	__u64 pos = 0;

#pragma unroll
	for (int bit = 9; bit >= 0; bit--) {
		__u64 at = bounded(pos + (1 << bit) - 1, LISTED - 1);
		__u64 under = (__u64)p->listed[at] - want;

		asm volatile("" : "+r"(under)); /* else it becomes a branch */
		pos += under >> 63 << bit;
	}
	pos = bounded(pos, LISTED - 1);
	return p->listed[pos] == want;
}

/*
 * Returns what one domain says of a triple: -errno, 0 for allowed, 1 for allowed
 * with a domain around it that has to be asked too. A global function is verified
 * once, and not for every place that calls it.
 */
__noinline int verdict(__u64 id, __u32 cell_index, __u32 protocol)
{
	struct domain *d = bpf_map_lookup_elem(&domains, &id);
	int err = EAFNOSUPPORT;
	__u32 cell = NO_FAMILY;

	if (!d)
		return -EACCES;
	if (d->policy.flags & POLICY_ALL)
		goto allowed;
	if (cell_index < CELLS)
		cell = d->policy.table[bounded(cell_index, CELLS - 1)];
	if (cell == ALLOWED)
		goto allowed;
	if (cell == NO_TYPE)
		err = ESOCKTNOSUPPORT;
	if (cell >= FIRST_SET) {
		__u64 set = bounded(cell - FIRST_SET, SETS - 1);

		err = EPROTONOSUPPORT;
		if (protocol < LOW_PROTOCOLS) {
			__u64 word = bounded(protocol >> 6, LOW_PROTOCOLS / 64 - 1);

			if (d->policy.low[set][word] >> (protocol & 63) & 1)
				goto allowed;
		} else if (protocol <= LAST_PROTOCOL && is_listed(&d->policy, set << 16 | protocol)) {
			goto allowed;
		}
	}
	__sync_fetch_and_add(&d->denials, 1);
	return d->policy.flags & POLICY_UNSUPPORTED ? -err : -EACCES;
allowed:
	return d->parent ? 1 : 0;
}

static __always_inline __u64 parent_of(__u64 id)
{
	struct domain *d = bpf_map_lookup_elem(&domains, &id);

	return d ? d->parent : 0;
}

/* The address of a task that is an argument: the verifier lets nobody reckon with it. */
static __always_inline __u64 address_of(__u64 task)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &task);
	return address;
}

/* A multiplication by an odd number loses nothing: no two addresses have one product. */
#define HASH(task) ((task) * 0x9e3779b97f4a7c15)

static __always_inline struct mark *mark_of(__u64 task)
{
	__u32 zero = 0;
	struct marks *m = bpf_map_lookup_elem(&marks, &zero);

	return m ? &m->of[HASH(task) >> (64 - MARK_BITS)] : 0;
}

/*
 * A task and a request in one word, so that nobody sees half of another's, or 0 if they do
 * not fit. The upper bits of the product are the place of the mark, its lower 6 are 0, as
 * tasks are in cache lines of their own; in those 20 is the request. So a mark has the tag
 * of one task and one request only.
 */
static __always_inline __u64 tag(__u64 task, __u32 family, __u32 type, __u32 protocol)
{
	if (HASH(task) & 63 || family > 63 || type > 15 || protocol > 511)
		return 0;
	return HASH(task) << MARK_BITS | 1 << 19 | family << 13 | type << 9 | protocol;
}

static __always_inline void count_members(__u64 task, __s64 more)
{
	struct mark *mark = mark_of(task);

	if (mark)
		__sync_fetch_and_add(&mark->members, more);
}

/* What a task was allowed before need not be allowed any more. */
static __always_inline void forget(__u64 task)
{
	struct mark *mark = mark_of(task);

	if (mark)
		mark->allowed = 0;
}

static __always_inline __u64 lookup_domain(__u64 task)
{
	__u64 *id = bpf_map_lookup_elem(&tasks, &task);

	return id ? *id : 0;
}

static __always_inline __u64 domain_of(__u64 task)
{
	struct mark *mark = mark_of(task);

	if (mark && !mark->members)
		return 0;
	return lookup_domain(task);
}

static __always_inline long delete_member(__u64 task)
{
	long err = bpf_map_delete_elem(&tasks, &task);

	forget(task);
	if (!err)
		count_members(task, -1);
	return err;
}

/* Tells somebody who may listen, or drops it. */
static __always_inline void report(__u64 id, __s32 family, __s32 type, __s32 protocol, __s32 set, __s32 port, int err)
{
	__u32 zero = 0;
	__u64 now = bpf_ktime_get_ns();
	struct budget *b = bpf_map_lookup_elem(&budgets, &zero);
	struct denial *e;

	if (!b)
		return;
	if (b->second != now / 1000000000) {
		b->second = now / 1000000000;
		b->spent = 0;
	}
	if (b->spent++ >= DENIALS_PER_SECOND)
		return;
	e = bpf_ringbuf_reserve(&denials, sizeof(*e), 0);
	if (!e)
		return;
	e->ktime = now;
	e->domain = id;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->tid = bpf_get_current_pid_tgid();
	e->family = family;
	e->type = type;
	e->protocol = protocol;
	e->errno = -err;
	e->set = set;
	e->port = port;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, 0);
}

/* The compiler knows that it is 0 or -errno, and the verifier has to see it. */
static __always_inline int error_of(__s64 err)
{
	if (err == 0)
		return 0;
	asm volatile("" : "+r"(err));
	return err < -MAX_ERRNO || err > 0 ? -EACCES : err;
}

/* The innermost domain that denies gives the errno. */
static __always_inline int decide(__u64 id, __s32 family, __s32 type, __s32 protocol)
{
	__u32 cell_index = (__u32)family << 4 | ((__u32)type & (TYPES - 1));

	for (int i = 0; i < MAX_DEPTH; i++) {
		__s64 err = verdict(id, cell_index, protocol);

		if (err == 0)
			return 0;
		if (err < 0) {
			report(id, family, type, protocol, -1, -1, err);
			return error_of(err);
		}
		id = parent_of(id);
	}
	return -EACCES; /* a chain that has no end, or was cut */
}

SEC("lsm/socket_create")
int socket_create(__u64 *ctx)
{
	__u64 task = bpf_get_current_task();
	struct mark *mark = mark_of(task);
	__u64 id, this;
	int err;

	if (!mark)
		return -EACCES; /* for the verifier */
	if (!mark->members || (int)ctx[3]) /* kern: the kernel's own socket */
		return 0;
	this = tag(task, ctx[0], ctx[1], ctx[2]);
	if (this && mark->allowed == this)
		return 0;
	id = lookup_domain(task);
	if (!id)
		return 0;
	err = decide(id, ctx[0], ctx[1], ctx[2]);
	if (!err)
		mark->allowed = this;
	return err;
}

/* One user of the domain is gone; the last one ends it. */
static __always_inline void release(__u64 id)
{
	for (int i = 0; i < MAX_DEPTH + 1; i++) {
		struct domain *d;
		__u64 parent;

		if (!id)
			return;
		d = bpf_map_lookup_elem(&domains, &id);
		if (!d)
			return;
		parent = d->parent;
		__sync_fetch_and_add(&d->users, -1);
		/* Two may see that nobody is left: only one can delete it. */
		if (d->users || bpf_map_delete_elem(&domains, &id))
			return;
		id = parent;
	}
}

SEC("lsm/task_free")
int task_free(__u64 *ctx)
{
	__u64 task = address_of(ctx[0]);
	__u64 id = domain_of(task);

	if (id && !delete_member(task))
		release(id);
	return 0;
}

SEC("lsm/task_alloc")
int task_alloc(__u64 *ctx)
{
	__u64 task = address_of(ctx[0]);
	__u64 id = domain_of(bpf_get_current_task());
	__u64 stale = domain_of(task); /* task_free could not delete it */
	struct domain *d;

	if (stale) {
		if (delete_member(task))
			return -EAGAIN;
		release(stale);
	}
	if (!id)
		return 0;
	d = bpf_map_lookup_elem(&domains, &id);
	if (!d)
		return -EAGAIN;
	__sync_fetch_and_add(&d->users, 1);
	count_members(task, 1);
	if (!bpf_map_update_elem(&tasks, &task, &id, BPF_NOEXIST))
		return 0;
	count_members(task, -1);
	release(id);
	return -EAGAIN;
}

/*
 * Puts the calling task into a new domain within its own. The domain's id follows
 * from both, so that the threads of a process, which enter one after the other, come
 * into one domain if they were in one, and else into as many as before.
 */
static __always_inline int enter(__u64 id, const void *user)
{
	__u64 task = bpf_get_current_task();
	__u64 outer = domain_of(task);
	struct domain *d, *around = 0;
	__u32 zero = 0;
	__u64 depth = 1;

	if (outer) {
		around = bpf_map_lookup_elem(&domains, &outer);
		if (!around)
			return -ESTALE;
		depth = around->depth + 1;
		if (depth > MAX_DEPTH)
			return -ELOOP;
	}
	id ^= outer;
	d = bpf_map_lookup_elem(&domains, &id);
	if (!d) {
		const void *none = bpf_map_lookup_elem(&blank, &zero);

		if (!none)
			return -ENOMEM;
		if (bpf_map_update_elem(&domains, &id, none, BPF_NOEXIST))
			return -ENOMEM;
		d = bpf_map_lookup_elem(&domains, &id);
		if (!d)
			return -ESTALE;
		if (bpf_probe_read_user(&d->policy, sizeof(d->policy), user)) {
			bpf_map_delete_elem(&domains, &id);
			return -EFAULT;
		}
		d->parent = outer;
		d->depth = depth;
		d->flags = d->policy.flags | (around ? around->flags : 0);
		if (around)
			__sync_fetch_and_add(&around->users, 1);
	}
	if (d->parent != outer)
		return -ESTALE;
	__sync_fetch_and_add(&d->users, 1);
	if (!outer)
		count_members(task, 1);
	if (bpf_map_update_elem(&tasks, &task, &id, BPF_ANY)) {
		if (!outer)
			count_members(task, -1);
		release(id);
		return -EAGAIN;
	}
	forget(task);
	release(outer);
	return 0;
}

/* Answers whether the calling task is in the domain that enter() made of the id. */
static __always_inline int confirm(__u64 id)
{
	__u64 inner = domain_of(bpf_get_current_task());

	return inner && (inner ^ parent_of(inner)) == id ? -EEXIST : -ENOENT;
}

static __always_inline __u64 mount_namespace(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct nsproxy *proxy = 0;
	struct mnt_namespace *ns = 0;

	if (read_kernel(proxy, task->nsproxy) || read_kernel(ns, proxy->mnt_ns))
		return 0;
	return (__u64)ns;
}

enum { OP_ENTER = 1, OP_CONFIRM, OP_HOME };

/*
 * The way in. A system call in the name of the task that is meant needs no pid, which
 * could be another's a moment later. For others than root nothing is there.
 */
SEC("lsm/task_prctl")
int task_prctl(__u64 *ctx)
{
	__u32 zero = 0;
	__u64 *ns;

	if ((int)ctx[0] != PR_GET_DUMPABLE || ctx[1] != magic)
		return 0;
	if ((__u32)bpf_get_current_uid_gid())
		return 0;
	switch (ctx[2]) {
	case OP_ENTER:
		return enter(ctx[3], (const void *)ctx[4]);
	case OP_CONFIRM:
		return confirm(ctx[3]);
	case OP_HOME:
		ns = bpf_map_lookup_elem(&home, &zero);
		if (ns && !*ns)
			*ns = mount_namespace();
		return 0;
	}
	return -EINVAL;
}

/* Tells whether one of the ranges has the port. As is_listed(), without branches. */
static __always_inline bool has_port(struct policy *p, __u32 set, __u64 port)
{
	__u64 *ranges = p->ports[bounded(set, PORT_SETS - 1)];
	__u64 pos = 0; /* how many ranges begin at the port or before it */

#pragma unroll
	for (int bit = 6; bit >= 0; bit--) {
		__u64 at = bounded(pos + (1 << bit) - 1, PORT_RANGES - 1);
		__u64 under = ranges[at] - ((port + 1) << 32);

		asm volatile("" : "+r"(under)); /* else it becomes a branch */
		pos += under >> 63 << bit;
	}
	return pos && (__u32)ranges[bounded(pos - 1, PORT_RANGES - 1)] >= port;
}

/* As verdict(), for a port. */
__noinline int port_verdict(__u64 id, __u32 set, __u32 port)
{
	struct domain *d = bpf_map_lookup_elem(&domains, &id);

	if (!d)
		return -EACCES;
	if (d->policy.flags & (POLICY_PORTS << (set & (PORT_SETS - 1))) && !has_port(&d->policy, set, port)) {
		__sync_fetch_and_add(&d->denials, 1);
		return -EACCES;
	}
	return d->parent ? 1 : 0;
}

/* All domains have to allow the port. */
__noinline int decide_port(__u64 id, __u32 set, __u32 port)
{
	for (int i = 0; i < MAX_DEPTH; i++) {
		int err = port_verdict(id, set, port);

		if (err == 0)
			return 0;
		if (err < 0)
			break;
		id = parent_of(id);
	}
	report(id, -1, -1, set < CONNECT_UDP ? IPPROTO_TCP : IPPROTO_UDP, set, port, -EACCES);
	return -EACCES;
}

/* How an address is used. */
enum { TO_BIND, TO_CONNECT, TO_SEND };

/* What counts of a struct sockaddr_in or sockaddr_in6, as one value. */
union address {
	struct {
		__u16 family, port;
		__u32 in_addr;
	};
	__u64 value;
};

/*
 * Decides about an address as security/landlock/net.c of Linux 7.3 does, step by step:
 * both have to agree on what is malformed, too.
 */
__noinline int decide_value(__u64 id, __u64 value, __s32 len, __u32 family, __u32 how)
{
	union address a = { .value = value };
	__u32 set = how >> 8;

	how &= 0xff;
	switch (a.family) {
	case AF_UNSPEC:
		if (how == TO_CONNECT)
			return 0; /* gives up a connection */
		if (how == TO_SEND) {
			if (family == AF_INET6)
				return -EACCES; /* by IPV6_ADDRFORM it may become an IPv4 one */
		} else if (family == AF_INET) {
			if (len < SIN_LEN)
				return -EINVAL;
			if (a.in_addr)
				return -EAFNOSUPPORT;
		} else {
			return len < SIN6_LEN_RFC2133 ? -EINVAL : -EAFNOSUPPORT;
		}
		/* IPv4 takes it for AF_INET. */
	case AF_INET:
		if (len < SIN_LEN)
			return -EINVAL;
		break;
	case AF_INET6:
		if (len < SIN6_LEN_RFC2133)
			return -EINVAL;
		break;
	default:
		return 0; /* and the protocol refuses it */
	}
	if (a.family != family && a.family != AF_UNSPEC)
		return -EINVAL;
	return decide_port(id, set, ntohs(a.port));
}

static __always_inline int decide_address(__u64 id, const void *address, __s32 len, __u32 family, __u32 how)
{
	union address a = {};

	if (len < (int)sizeof(a.family))
		return -EINVAL;
	if (bpf_probe_read_kernel(&a, sizeof(a), address))
		return -EACCES;
	return decide_value(id, a.value, len, family, how);
}

/* The flags of the policies that the task is in, if any of them is about ports. */
static __always_inline __u64 port_flags(__u64 id)
{
	struct domain *d;

	if (!id)
		return 0;
	d = bpf_map_lookup_elem(&domains, &id);
	return d ? d->flags & (POLICY_PORTS * 15) : POLICY_PORTS * 15;
}

enum { OTHER, TCP, UDP };

static __always_inline int kind_of(struct sock *sk)
{
	if (!sk) /* for the verifier */
		return OTHER;
	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return OTHER;
	if (sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP)
		return TCP;
	if (sk->sk_type == SOCK_DGRAM && sk->sk_protocol == IPPROTO_UDP)
		return UDP;
	return OTHER;
}

/*
 * A UDP socket without a port gets one by the first connect(2) or message, as by a bind(2)
 * to port 0. Its port is there for a moment while such a bind(2) fails; its place in the
 * hash table is not.
 */
static __always_inline int decide_autobind(__u64 id, struct sock *sk)
{
	if (sk->__sk_common.skc_num && sk->__sk_common.skc_nulls_node.pprev)
		return 0;
	return decide_port(id, BIND_UDP, 0);
}

SEC("lsm/socket_bind")
int socket_bind(__u64 *ctx)
{
	struct socket *sock = (void *)ctx[0];
	struct sock *sk = sock->sk;
	int kind = kind_of(sk);
	__u32 set = kind == TCP ? BIND_TCP : BIND_UDP;
	__u64 id;

	if (kind == OTHER)
		return 0;
	id = domain_of(bpf_get_current_task());
	if (!(port_flags(id) & POLICY_PORTS << set))
		return 0;
	return error_of(decide_address(id, (void *)ctx[1], ctx[2], sk->__sk_common.skc_family, set << 8 | TO_BIND));
}

SEC("lsm/socket_connect")
int socket_connect(__u64 *ctx)
{
	struct socket *sock = (void *)ctx[0];
	struct sock *sk = sock->sk;
	int kind = kind_of(sk);
	__u32 set = kind == TCP ? CONNECT_TCP : CONNECT_UDP;
	__u16 family = 0;
	__u64 id, flags;
	int err = 0;

	if (kind == OTHER)
		return 0;
	id = domain_of(bpf_get_current_task());
	flags = port_flags(id);
	if (flags & POLICY_PORTS << set)
		err = decide_address(id, (void *)ctx[1], ctx[2], sk->__sk_common.skc_family, set << 8 | TO_CONNECT);
	if (err || kind != UDP || !(flags & POLICY_PORTS << BIND_UDP))
		return error_of(err);
	if ((int)ctx[2] < (int)sizeof(family) || bpf_probe_read_kernel(&family, sizeof(family), (void *)ctx[1]) || family == AF_UNSPEC)
		return 0;
	return error_of(decide_autobind(id, sk));
}

SEC("lsm/socket_sendmsg")
int socket_sendmsg(__u64 *ctx)
{
	struct socket *sock = (void *)ctx[0];
	struct msghdr *msg = (void *)ctx[1];
	struct sock *sk = sock->sk;
	int kind = kind_of(sk);
	const void *address;
	__u64 id, flags;
	__u32 how = CONNECT_UDP << 8 | TO_SEND;
	int err = 0;

	if (kind == OTHER)
		return 0;
	address = msg->msg_name;
	if (kind == TCP) {
		if (!(msg->msg_flags & MSG_FASTOPEN) || !address)
			return 0;
		how = CONNECT_TCP << 8 | TO_CONNECT;
	}
	id = domain_of(bpf_get_current_task());
	flags = port_flags(id);
	if (address && flags & POLICY_PORTS << (how >> 8))
		err = decide_address(id, address, msg->msg_namelen, sk->__sk_common.skc_family, how);
	if (err || kind != UDP || !(flags & POLICY_PORTS << BIND_UDP))
		return error_of(err);
	return error_of(decide_autobind(id, sk));
}

/* A received socket has to be one that the policy allows, where it says so. */
SEC("lsm/file_receive")
int file_receive(__u64 *ctx)
{
	struct file *file = (void *)ctx[0];
	__u64 id = domain_of(bpf_get_current_task());
	struct socket *socket;
	struct sock *sk = 0;
	__u16 family = 0, type = 0, protocol = 0;
	bool asked = 0;

	if (!id || file->f_inode->i_sb->s_magic != SOCKFS_MAGIC)
		return 0;
	for (int i = 0; i < MAX_DEPTH; i++) {
		struct domain *d = bpf_map_lookup_elem(&domains, &id);
		int err;

		if (!d)
			return -EACCES;
		if (d->policy.flags & POLICY_RECEIVE) {
			if (!asked) {
				socket = file->private_data;
				if (read_kernel(sk, socket->sk) || read_kernel(family, sk->__sk_common.skc_family) ||
				    read_kernel(type, sk->sk_type) || read_kernel(protocol, sk->sk_protocol))
					return -EACCES;
				asked = 1;
			}
			err = verdict(id, (__u32)family << 4 | (type & (TYPES - 1)), protocol);
			if (err < 0) {
				report(id, family, type, protocol, -1, -1, -EACCES);
				return -EACCES;
			}
		}
		id = parent_of(id);
		if (!id)
			return 0;
	}
	return -EACCES;
}

/*
 * A task in a domain has power over those in it and in domains within it, as with
 * Landlock: any other could be made to create a socket, or to hand one over.
 */
SEC("lsm/ptrace_access_check")
int ptrace_access_check(__u64 *ctx)
{
	__u64 id = domain_of(bpf_get_current_task());
	__u64 other;

	if (!id || !((__u32)ctx[1] & PTRACE_MODE_ATTACH))
		return 0;
	other = domain_of(address_of(ctx[0]));
	for (int i = 0; i < MAX_DEPTH + 1; i++) {
		if (!other)
			return -EPERM;
		if (other == id)
			return 0;
		other = parent_of(other);
	}
	return -EPERM;
}

/* The links live as long as their pins: root in a domain must not take them away. */
static __always_inline int keep_pins(struct inode *dir)
{
	if (dir->i_sb->s_magic == BPF_FS_MAGIC && domain_of(bpf_get_current_task()))
		return -EPERM;
	return 0;
}

SEC("lsm/inode_unlink")
int inode_unlink(__u64 *ctx)
{
	return keep_pins((void *)ctx[0]);
}

SEC("lsm/inode_rmdir")
int inode_rmdir(__u64 *ctx)
{
	return keep_pins((void *)ctx[0]);
}

SEC("lsm/inode_rename")
int inode_rename(__u64 *ctx)
{
	return keep_pins((void *)ctx[0]);
}

/* Nor their file system; with MNT_DETACH it goes together with any mount above. */
SEC("lsm/sb_umount")
int sb_umount(__u64 *ctx)
{
	struct vfsmount *mnt = (void *)ctx[0];
	__u32 zero = 0;
	__u64 *ns;

	if (!((int)ctx[1] & MNT_DETACH) && mnt->mnt_sb->s_magic != BPF_FS_MAGIC)
		return 0;
	if (!domain_of(bpf_get_current_task()))
		return 0;
	ns = bpf_map_lookup_elem(&home, &zero);
	return ns && mount_namespace() == *ns ? -EPERM : 0;
}

/*
 * The kernel calls the programs by ftrace, and where kernel.ftrace_enabled can be set
 * to 0 (seen on Linux 6.1 to 7.1) that ends the enforcement of all of them at once.
 */
SEC("lsm/file_open")
int file_open(__u64 *ctx)
{
	static const char sysctl[] = "ftrace_enabled";
	struct file *file = (void *)ctx[0];
	char name[sizeof(sysctl)] = {};
	const unsigned char *at;

	if (file->f_inode->i_sb->s_magic != PROC_SUPER_MAGIC || !(file->f_mode & FMODE_WRITE))
		return 0;
	if (!domain_of(bpf_get_current_task()))
		return 0;
	at = file->f_path.dentry->d_name.name;
	if (bpf_probe_read_kernel(name, sizeof(name), at))
		return -EPERM;
	for (int i = 0; i < sizeof(name); i++)
		if (name[i] != sysctl[i])
			return 0;
	return error_of(-EPERM);
}
