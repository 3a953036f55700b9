/*
 * Makes system calls of the gateway fail, or do less than they were asked for. Preloaded into the
 * program; test/e2e/faults.py writes the rules into a file that all its processes map, and reads
 * there how often each call was made and met. Without the variable LURKBOT_SHIM nothing is changed.
 *
 *	file     header, then one struct rule for each call that the test knows, found by its name
 *	rule     while `times` are left, each call of the processes meant that matches, but for the
 *	         first `skip`, fails with `error`; or, with error 0, moves at most `limit` bytes
 *	walk     call number `walk_at` of the processes meant fails once with the errno in the table
 *	         below, whichever it is
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

/* The calls, and what each fails with in a walk: what it may meet on a machine that is full. */
#define CALLS(X)                   \
	X(accept4, EMFILE)         \
	X(bind, EADDRNOTAVAIL)     \
	X(epoll_create1, EMFILE)   \
	X(epoll_ctl, ENOSPC)       \
	X(epoll_wait, EINTR)       \
	X(eventfd, EMFILE)         \
	X(flock, ENOLCK)           \
	X(fork, EAGAIN)            \
	X(ftruncate, ENOSPC)       \
	X(listen, EADDRINUSE)      \
	X(mkdir, ENOSPC)           \
	X(mmap, ENOMEM)            \
	X(open, ENFILE)            \
	X(pipe2, EMFILE)           \
	X(posix_fallocate, ENOSPC) \
	X(pread, EIO)              \
	X(pwrite, ENOSPC)          \
	X(read, EINTR)             \
	X(recv, EINTR)             \
	X(recvmsg, EINTR)          \
	X(rename, ENOSPC)          \
	X(send, ENOBUFS)           \
	X(sendmsg, ENOBUFS)        \
	X(setsockopt, ENOBUFS)     \
	X(shm_open, EMFILE)        \
	X(signalfd, EMFILE)        \
	X(socket, EMFILE)          \
	X(socketpair, EMFILE)      \
	X(timerfd_create, EMFILE)  \
	X(write, ENOSPC)

enum call {
#define X(name, error) CALL_##name,
	CALLS(X)
#undef X
	    CALL_COUNT
};

static const struct {
	const char *name;
	int error;
} calls[CALL_COUNT] = {
#define X(name, error) { #name, error },
	CALLS(X)
#undef X
};

/* Which processes are meant: the one that was started, or those that it forked. */
enum who { WHO_NOBODY, WHO_STARTED, WHO_FORKED, WHO_ALL };

/* Which descriptors are meant. */
enum kind { KIND_ANY, KIND_STREAM_SOCKET, KIND_REGULAR_FILE };

enum { NAME_MAX_BYTES = 16, RULES_MAX = 64, PARTS_MAX = 16, MAGIC = 0x6d696873 };

struct rule {
	char name[NAME_MAX_BYTES];
	uint32_t who;
	uint32_t kind;
	_Atomic uint32_t skip;
	_Atomic uint32_t times;
	int32_t error;
	uint32_t limit;
	uint32_t random; /* not 0: the limit is a number from 1 to `limit`, another one each time */
	_Atomic uint32_t seen; /* matching calls, whether met or not */
	_Atomic uint32_t met;
	uint32_t unused[3];
};

struct control {
	uint32_t magic;
	uint32_t walk_who;
	uint32_t walk_at;
	_Atomic uint32_t walk_seen;
	char walk_name[NAME_MAX_BYTES]; /* what was made to fail */
	uint32_t unused[8];
	struct rule rules[RULES_MAX];
};

_Static_assert(
    sizeof(struct rule) == 64 && offsetof(struct control, rules) == 64, "as in faults.py");

static struct {
	struct control *control; /* NULL: nothing is changed */
	struct rule *rules[CALL_COUNT];
	pid_t started;
} shim;

/* --- beginning ------------------------------------------------------------------------------ */

/* The function that this one stands in front of. */
static void *
real(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	return found;
}

#define REAL(name) ((__typeof__(&name))real(#name))

static struct rule *
find_rule(struct control *control, const char *name)
{
	for (unsigned i = 0; i < RULES_MAX; i++)
		if (strncmp(control->rules[i].name, name, NAME_MAX_BYTES) == 0)
			return &control->rules[i];
	fprintf(stderr, "shim: the test has no rule for %s\n", name);
	abort();
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("LURKBOT_SHIM");
	struct control *control;
	int fd;

	if (path == NULL)
		return;
	fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	control = REAL(mmap)(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (control == MAP_FAILED || control->magic != MAGIC)
		abort();
	for (unsigned i = 0; i < CALL_COUNT; i++)
		shim.rules[i] = find_rule(control, calls[i].name);
	shim.started = getpid();
	shim.control = control;
}

/* --- deciding ------------------------------------------------------------------------------- */

static bool
is_meant(uint32_t who)
{
	return (who & (getpid() == shim.started ? WHO_STARTED : WHO_FORKED)) != 0;
}

static bool
is_of_kind(uint32_t kind, int fd)
{
	socklen_t len = sizeof(int);
	struct stat st;
	int type;

	switch ((enum kind)kind) {
	case KIND_ANY:
		return true;
	case KIND_STREAM_SOCKET:
		return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
	case KIND_REGULAR_FILE:
		/* Not as glibc does it: a worker's sandbox refuses calls that could take a path. */
		return syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode);
	}
	abort();
}

/* Takes one off a number that others use too; false when it is 0. */
static bool
take_one(_Atomic uint32_t *number)
{
	uint32_t left = *number;

	while (left > 0)
		if (__atomic_compare_exchange_n((uint32_t *)number, &left, left - 1, false,
			__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static int
walk_error(enum call call)
{
	struct control *control = shim.control;

	if (control->walk_who == WHO_NOBODY || !is_meant(control->walk_who) ||
	    ++control->walk_seen != control->walk_at)
		return 0;
	memcpy(control->walk_name, shim.rules[call]->name, NAME_MAX_BYTES);
	return calls[call].error;
}

/* Spreads the bits of a number: another one for each call, the same in each run. */
static uint32_t
scatter(uint32_t n)
{
	n = (n ^ n >> 16) * 0x7feb352d;
	n = (n ^ n >> 15) * 0x846ca68b;
	return n ^ n >> 16;
}

/* What becomes of a call: 0, or the errno that it fails with. limit: of the bytes that it may move. */
static int
decide(enum call call, int fd, size_t *limit)
{
	struct rule *rule;
	int saved_errno = errno, error;

	if (shim.control == NULL)
		return 0;
	error = walk_error(call);
	if (error != 0)
		return error;
	rule = shim.rules[call];
	if (is_meant(rule->who) && is_of_kind(rule->kind, fd)) {
		uint32_t number = ++rule->seen;

		if (!take_one(&rule->skip) && take_one(&rule->times)) {
			rule->met++;
			error = rule->error;
			if (limit != NULL && error == 0)
				*limit = rule->random == 0 ? rule->limit
							   : 1 + scatter(number) % rule->limit;
		}
	}
	errno = saved_errno;
	return error;
}

static bool
is_denied(enum call call, int fd)
{
	int error = decide(call, fd, NULL);

	if (error != 0)
		errno = error;
	return error != 0;
}

/* As is_denied, for a call that moves *n bytes, which may become fewer. */
static bool
is_denied_bytes(enum call call, int fd, size_t *n)
{
	size_t limit = SIZE_MAX;
	int error = decide(call, fd, &limit);

	if (error != 0)
		errno = error;
	if (*n > limit)
		*n = limit;
	return error != 0;
}

/* --- calls that are made or not ------------------------------------------------------------- */

/* Defines the function in front of the real one; fd is what a rule's kind is asked of, or -1. */
#define PASS(type, failed, name, fd, parameters, ...)                                   \
	type name parameters                                                            \
	{                                                                               \
		return is_denied(CALL_##name, fd) ? (failed) : REAL(name)(__VA_ARGS__); \
	}

PASS(int, -1, accept4, fd, (int fd, struct sockaddr *address, socklen_t *len, int flags), fd,
    address, len, flags)
PASS(int, -1, bind, fd, (int fd, const struct sockaddr *address, socklen_t len), fd, address, len)
PASS(int, -1, epoll_create1, -1, (int flags), flags)
PASS(int, -1, epoll_ctl, fd, (int epoll_fd, int op, int fd, struct epoll_event *event), epoll_fd,
    op, fd, event)
PASS(int, -1, epoll_wait, fd, (int fd, struct epoll_event *events, int count, int timeout_ms), fd,
    events, count, timeout_ms)
PASS(int, -1, eventfd, -1, (unsigned count, int flags), count, flags)
PASS(int, -1, flock, fd, (int fd, int operation), fd, operation)
PASS(pid_t, -1, fork, -1, (void), )
PASS(int, -1, ftruncate, fd, (int fd, off_t len), fd, len)
PASS(int, -1, listen, fd, (int fd, int backlog), fd, backlog)
PASS(int, -1, mkdir, -1, (const char *path, mode_t mode), path, mode)
PASS(void *, MAP_FAILED, mmap, fd,
    (void *at, size_t len, int access, int flags, int fd, off_t offset), at, len, access, flags, fd,
    offset)
PASS(int, -1, pipe2, -1, (int fds[2], int flags), fds, flags)
PASS(int, errno, posix_fallocate, fd, (int fd, off_t offset, off_t len), fd, offset, len)
PASS(int, -1, rename, -1, (const char *from, const char *to), from, to)
PASS(int, -1, setsockopt, fd, (int fd, int level, int option, const void *value, socklen_t len), fd,
    level, option, value, len)
PASS(int, -1, shm_open, -1, (const char *name, int flags, mode_t mode), name, flags, mode)
PASS(int, -1, signalfd, fd, (int fd, const sigset_t *signals, int flags), fd, signals, flags)
PASS(int, -1, socket, -1, (int family, int type, int protocol), family, type, protocol)
PASS(int, -1, socketpair, -1, (int family, int type, int protocol, int fds[2]), family, type,
    protocol, fds)
PASS(int, -1, timerfd_create, -1, (clockid_t clock, int flags), clock, flags)

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return is_denied(CALL_open, -1) ? -1 : REAL(open)(path, flags, mode);
}

/* --- calls that move bytes, and may move fewer ---------------------------------------------- */

#define PASS_BYTES(name, fd, n, parameters, ...)                                              \
	ssize_t name parameters                                                               \
	{                                                                                     \
		return is_denied_bytes(CALL_##name, fd, &(n)) ? -1 : REAL(name)(__VA_ARGS__); \
	}

PASS_BYTES(pread, fd, n, (int fd, void *to, size_t n, off_t offset), fd, to, n, offset)
PASS_BYTES(pwrite, fd, n, (int fd, const void *from, size_t n, off_t offset), fd, from, n, offset)
PASS_BYTES(read, fd, n, (int fd, void *to, size_t n), fd, to, n)
PASS_BYTES(recv, fd, n, (int fd, void *to, size_t n, int flags), fd, to, n, flags)
PASS_BYTES(send, fd, n, (int fd, const void *from, size_t n, int flags), fd, from, n, flags)
PASS_BYTES(write, fd, n, (int fd, const void *from, size_t n), fd, from, n)

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	return is_denied(CALL_recvmsg, fd) ? -1 : REAL(recvmsg)(fd, message, flags);
}

/* The first n bytes of the parts; *count becomes how many parts they fill. */
static void
cut_parts(struct iovec *parts, size_t *count, size_t n)
{
	for (size_t i = 0; i < *count; i++) {
		if (parts[i].iov_len >= n) {
			parts[i].iov_len = n;
			*count = i + 1;
			return;
		}
		n -= parts[i].iov_len;
	}
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec parts[PARTS_MAX];
	struct msghdr shorter = *message;
	size_t limit = SIZE_MAX;

	if (is_denied_bytes(CALL_sendmsg, fd, &limit))
		return -1;
	if (limit < SIZE_MAX) {
		if (message->msg_iovlen > PARTS_MAX)
			abort();
		memcpy(parts, message->msg_iov, message->msg_iovlen * sizeof(parts[0]));
		cut_parts(parts, &shorter.msg_iovlen, limit);
		shorter.msg_iov = parts;
	}
	return REAL(sendmsg)(fd, &shorter, flags);
}

/* What the program calls instead when it was built with _FORTIFY_SOURCE; it is not asked for here. */
ssize_t __pread_chk(int fd, void *to, size_t n, off_t offset, size_t room);
ssize_t __read_chk(int fd, void *to, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *to, size_t n, size_t room, int flags);

ssize_t
__pread_chk(int fd, void *to, size_t n, off_t offset, size_t room)
{
	if (n > room)
		abort();
	return pread(fd, to, n, offset);
}

ssize_t
__read_chk(int fd, void *to, size_t n, size_t room)
{
	if (n > room)
		abort();
	return read(fd, to, n);
}

ssize_t
__recv_chk(int fd, void *to, size_t n, size_t room, int flags)
{
	if (n > room)
		abort();
	return recv(fd, to, n, flags);
}
