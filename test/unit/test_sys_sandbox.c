/*
 * What a process can no longer do behind the door, each tried by a child of its own: EPERM, or the end
 * by SIGSYS. And what it goes on doing: all that a worker lives on. Skipped in a build without.
 */
#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support_children.h"
#include "sys/control.h"
#include "sys/sandbox.h"
#include "sys/sealed.h"
#include "sys/uring.h"

enum {
	DENIED = 0,    /* exit status of a child that got EPERM */
	GRANTED = 100, /* or something else */
	FAILED_FIRST,  /* it did not get that far */
	KILLED = 1000 + SIGSYS,
};

/* Whatever page there is, for calls that want to be given one. */
static char page[4096] __attribute__((aligned(4096)));

/* --- refused -------------------------------------------------------------------------------- */

struct attempt {
	const char *name;
	int outcome;
	long number;
	long arguments[6];
};

#define PATH	"/etc/passwd"
#define P(text) ((long)(text))

/* Those that one architecture has and another has not. */
#if defined(SYS_open)
#define OLD_CALLS                                                                           \
	{ "open", DENIED, SYS_open, { P(PATH), O_RDONLY } },                                \
	    { "creat", DENIED, SYS_creat, { P("/tmp/x"), 0600 } },                          \
	    { "stat", DENIED, SYS_stat, { P(PATH), P(page) } },                             \
	    { "unlink", DENIED, SYS_unlink, { P("/tmp/x") } },                              \
	    { "readlink", DENIED, SYS_readlink, { P(PATH), P(page), 8 } },                  \
	    { "pipe", DENIED, SYS_pipe, { P(page) } }, { "fork", KILLED, SYS_fork, { 0 } }, \
	    { "vfork", KILLED, SYS_vfork, { 0 } },
#else
#define OLD_CALLS
#endif

static const struct attempt attempts[] = {
	OLD_CALLS
	/* files */
	{ "openat", DENIED, SYS_openat, { AT_FDCWD, P(PATH), O_RDONLY } },
	{ "openat2", DENIED, SYS_openat2, { AT_FDCWD, P(PATH), P(page), 24 } },
	{ "open_by_handle_at", DENIED, SYS_open_by_handle_at, { AT_FDCWD, P(page), O_RDONLY } },
	{ "newfstatat", DENIED, SYS_newfstatat, { AT_FDCWD, P(PATH), P(page), 0 } },
	{ "statx", DENIED, SYS_statx, { AT_FDCWD, P(PATH), 0, 0, P(page) } },
	{ "faccessat", DENIED, SYS_faccessat, { AT_FDCWD, P(PATH), R_OK } },
	{ "unlinkat", DENIED, SYS_unlinkat, { AT_FDCWD, P("/tmp/x"), 0 } },
	{ "mkdirat", DENIED, SYS_mkdirat, { AT_FDCWD, P("/tmp/x"), 0700 } },
	{ "linkat", DENIED, SYS_linkat, { AT_FDCWD, P(PATH), AT_FDCWD, P("/tmp/x"), 0 } },
	{ "symlinkat", DENIED, SYS_symlinkat, { P(PATH), AT_FDCWD, P("/tmp/x") } },
	{ "fchmodat", DENIED, SYS_fchmodat, { AT_FDCWD, P(PATH), 0600 } },
	{ "fchownat", DENIED, SYS_fchownat, { AT_FDCWD, P(PATH), 0, 0, 0 } },
	{ "chdir", DENIED, SYS_chdir, { P("/") } },
	{ "getdents64", DENIED, SYS_getdents64, { 0, P(page), 512 } },
	{ "ftruncate", DENIED, SYS_ftruncate, { 0, 0 } },
	{ "memfd_create", DENIED, SYS_memfd_create, { P("x"), 0 } },
	{ "ioctl", DENIED, SYS_ioctl, { 0, 0x5412 } },
	{ "sendfile", DENIED, SYS_sendfile, { 1, 0, 0, 1 } },
	/* sockets and other descriptors */
	{ "socket", DENIED, SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
	{ "socketpair", DENIED, SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, P(page) } },
	{ "connect", DENIED, SYS_connect, { 0, P(page), 16 } },
	{ "bind", DENIED, SYS_bind, { 0, P(page), 16 } },
	{ "listen", DENIED, SYS_listen, { 0, 1 } },
	{ "pipe2", DENIED, SYS_pipe2, { P(page), 0 } },
	{ "dup3", DENIED, SYS_dup3, { 0, 1, 0 } },
	{ "inotify_init1", DENIED, SYS_inotify_init1, { 0 } },
	{ "F_SETFL", DENIED, SYS_fcntl, { 1, F_SETFL, 0 } },
	{ "F_SETOWN", DENIED, SYS_fcntl, { 1, F_SETOWN, 1 } },
	/* programs and processes */
	{ "execve", KILLED, SYS_execve, { P("/bin/true"), P(page), P(page) } },
	{ "execveat", KILLED, SYS_execveat, { AT_FDCWD, P("/bin/true"), P(page), P(page), 0 } },
	{ "clone", KILLED, SYS_clone, { SIGCHLD, 0, 0, 0, 0 } },
	{ "clone3", KILLED, SYS_clone3, { P(page), 64 } },
	{ "kill of all", DENIED, SYS_kill, { -1, 0 } },
	{ "kill of the group", DENIED, SYS_kill, { 0, 0 } },
	{ "kill of the first", DENIED, SYS_kill, { 1, 0 } },
	{ "tkill", DENIED, SYS_tkill, { 1, 0 } },
	{ "tgkill", DENIED, SYS_tgkill, { 1, 1, 0 } },
	{ "pidfd_open", DENIED, SYS_pidfd_open, { 1, 0 } },
	{ "pidfd_send_signal", DENIED, SYS_pidfd_send_signal, { 0, 0, 0, 0 } },
	{ "pidfd_getfd", KILLED, SYS_pidfd_getfd, { 0, 0, 0 } },
	{ "ptrace", KILLED, SYS_ptrace, { 16, 1, 0, 0 } },
	{ "process_vm_readv", KILLED, SYS_process_vm_readv, { 1, 0, 0, 0, 0, 0 } },
	{ "process_vm_writev", KILLED, SYS_process_vm_writev, { 1, 0, 0, 0, 0, 0 } },
	/* oneself */
	{ "setuid", DENIED, SYS_setuid, { 0 } },
	{ "capset", DENIED, SYS_capset, { 0, 0 } },
	{ "prctl", DENIED, SYS_prctl, { PR_SET_DUMPABLE, 1 } },
	{ "prlimit64", DENIED, SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, P(page) } },
	{ "mmap of code", DENIED, SYS_mmap,
	    { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
	{ "mprotect to code", DENIED, SYS_mprotect, { P(page), 4096, PROT_READ | PROT_EXEC } },
	{ "pkey_mprotect", DENIED, SYS_pkey_mprotect, { P(page), 4096, PROT_READ, -1 } },
	/* the rest of the system */
	{ "chroot", KILLED, SYS_chroot, { P("/") } },
	{ "mount", KILLED, SYS_mount, { 0, P("/tmp"), 0, 0, 0 } },
	{ "unshare", KILLED, SYS_unshare, { 0x10000000 } },
	{ "setns", KILLED, SYS_setns, { 0, 0 } },
	{ "bpf", KILLED, SYS_bpf, { 0, P(page), 4 } },
	{ "keyctl", KILLED, SYS_keyctl, { 0, 0 } },
	{ "perf_event_open", KILLED, SYS_perf_event_open, { P(page), 0, -1, -1, 0 } },
	{ "userfaultfd", KILLED, SYS_userfaultfd, { 0 } },
	{ "io_uring_setup", KILLED, SYS_io_uring_setup, { 8, P(page) } },
	{ "io_uring_enter", DENIED, SYS_io_uring_enter, { 0, 0, 0, 0, 0, 0 } },
	{ "io_uring_register", DENIED, SYS_io_uring_register,
	    { 0, IORING_REGISTER_FILES_UPDATE, 0, 0 } },
	{ "a call that there is not", DENIED, 4000, { 0 } },
};

static void
skip_without(void)
{
	if (!sandbox_is_built_in())
		skip();
}

static void
no_core(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
}

/* What becomes of a child that makes this call behind the door. */
static int
outcome_of(const struct attempt *a)
{
	const long *arg = a->arguments;
	pid_t pid = support_fork();

	if (pid == 0) {
		no_core();
		if (sandbox_enter(false) < 0)
			_exit(FAILED_FIRST);
		errno = 0;
		_exit(syscall(a->number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]) == -1 &&
			      errno == EPERM
			  ? DENIED
			  : GRANTED);
	}
	return support_reap(pid);
}

static void
test_what_is_refused(void **state)
{
	unsigned faults = 0;

	(void)state;
	skip_without();
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		int outcome = outcome_of(&attempts[i]);

		if (outcome == attempts[i].outcome)
			continue;
		print_error("%s: %d, not %d\n", attempts[i].name, outcome, attempts[i].outcome);
		faults++;
	}
	assert_int_equal(faults, 0);
}

/* 32-bit calls have other numbers, and 5 is open. */
static void
test_the_other_way_in(void **state)
{
	(void)state;
	skip_without();
#if defined(__x86_64__)
	pid_t pid = support_fork();

	if (pid == 0) {
		long result = 5;

		no_core();
		if (sandbox_enter(false) < 0)
			_exit(FAILED_FIRST);
		__asm__ volatile("int $0x80" : "+a"(result) : "b"(0L), "c"(0L), "d"(0L) : "memory");
		_exit(GRANTED);
	}
	/* Where the kernel knows no 32-bit calls it is the end as well. */
	assert_in_range(support_reap(pid), 1000, 1000 + SIGRTMAX);
#else
	skip();
#endif
}

static void
test_there_is_no_way_back(void **state)
{
	pid_t pid;

	(void)state;
	skip_without();
	pid = support_fork();
	if (pid == 0) {
		if (sandbox_enter(false) < 0)
			_exit(FAILED_FIRST);
		/* Another filter could only narrow it; not even that is on the list. */
		_exit(sandbox_enter(true) < 0 ? DENIED : GRANTED);
	}
	assert_int_equal(support_reap(pid), DENIED);
}

/* --- allowed -------------------------------------------------------------------------------- */

/* In a child: what does not hold ends it, with the line as its status. */
#define hold(condition)                              \
	do {                                         \
		if (!(condition))                    \
			_exit((__LINE__ % 200) + 1); \
	} while (0)

/* What the child is given before it closes the door. */
struct equipment {
	int control[2], listener, epoll, bell, sealed;
	struct sockaddr_in address;
	pthread_mutex_t *lock;
};

/* As those of bus/shlock.h, which is another layer's. */
static pthread_mutex_t *
new_lock(void)
{
	pthread_mutex_t *lock = support_share(sizeof(*lock));
	pthread_mutexattr_t attr;

	assert_int_equal(pthread_mutexattr_init(&attr), 0);
	assert_int_equal(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
	assert_int_equal(pthread_mutex_init(lock, &attr), 0);
	(void)pthread_mutexattr_destroy(&attr);
	return lock;
}

static void
equip(struct equipment *e)
{
	socklen_t length = sizeof(e->address);

	assert_int_equal(control_pair(e->control), 0);
	e->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	e->address = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(e->listener, (struct sockaddr *)&e->address, length), 0);
	assert_int_equal(listen(e->listener, 8), 0);
	assert_int_equal(getsockname(e->listener, (struct sockaddr *)&e->address, &length), 0);
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	e->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(e->epoll >= 0 && e->bell >= 0);
	assert_int_equal(sealed_new("test", SPAN("what the files said"), &e->sealed), 0);
	e->lock = new_lock();
}

static void
put_away(struct equipment *e)
{
	const int fds[] = { e->control[0], e->control[1], e->listener, e->epoll, e->bell,
		e->sealed };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
}

static void
live_on_sockets(const struct equipment *e)
{
	struct epoll_event event = { .events = EPOLLIN };
	const int on = 1;
	char text[8];
	int fd;

	hold(epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->listener, &event) == 0);
	hold(epoll_wait(e->epoll, &event, 1, 10000) == 1);
	fd = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC);
	hold(fd >= 0);
	hold(setsockopt(fd, IPPROTO_TCP, 1, &on, sizeof(on)) == 0);
	hold(recv(fd, text, sizeof(text), 0) == 5);
	hold(send(fd, text, 5, MSG_NOSIGNAL) == 5);
	hold(shutdown(fd, SHUT_RDWR) == 0);
	hold(close(fd) == 0);
}

/* Files come as descriptors of sealed memory. */
static void
live_on_control(const struct equipment *e)
{
	struct control_message message;
	struct buf out = { 0 };

	hold(control_receive(e->control[1], &message) == 1);
	hold(message.fd_count == 1);
	hold(sealed_read(message.fds[0], 100, &out) == 0);
	hold(span_is(buf_span(&out), "what the files said"));
	buf_fini(&out);
	control_message_close(&message);
	hold(control_send_taken(e->control[1], 1, 0) == 0);
}

static void
live_on_memory(void)
{
	enum { BIG = 4 << 20 };
	char *p = malloc(BIG), *q, *small[256];
	char random[16];

	hold(p != NULL);
	memset(p, 1, BIG);
	q = realloc(p, 2 * BIG);
	hold(q != NULL && q[BIG - 1] == 1);
	free(q);
	for (size_t i = 0; i < ARRAY_LEN(small); i++)
		hold((small[i] = malloc(8192)) != NULL);
	for (size_t i = 0; i < ARRAY_LEN(small); i++)
		free(small[i]);
	hold(getrandom(random, sizeof(random), 0) == sizeof(random));
}

static void
live_on_time_and_locks(const struct equipment *e)
{
	const struct timespec moment = { .tv_nsec = 1000 };
	struct timespec deadline;
	eventfd_t rings;

	hold(nanosleep(&moment, NULL) == 0);
	hold(eventfd_write(e->bell, 1) == 0);
	hold(eventfd_read(e->bell, &rings) == 0 && rings == 1);
	/* The holder has died; and then it is held, and waited for. */
	hold(pthread_mutex_trylock(e->lock) == EOWNERDEAD);
	hold(pthread_mutex_consistent(e->lock) == 0);
	hold(clock_gettime(CLOCK_MONOTONIC, &deadline) == 0);
	hold(pthread_mutex_clocklock(e->lock, CLOCK_MONOTONIC, &deadline) == EDEADLK ||
	     pthread_mutex_clocklock(e->lock, CLOCK_MONOTONIC, &deadline) == ETIMEDOUT);
	hold(pthread_mutex_unlock(e->lock) == 0);
	hold(fcntl(e->epoll, F_DUPFD_CLOEXEC, 0) >= 0);
}

/* In the parent: a client, and a supervisor. */
static void
play_the_others(const struct equipment *e)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[8];

	assert_int_equal(control_send_config(e->control[0], 1, e->sealed), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&e->address, sizeof(e->address)), 0);
	assert_int_equal(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_WAITALL), 5);
	(void)close(fd);
}

static void
test_what_a_worker_lives_on(void **state)
{
	struct equipment e;
	pid_t pid;

	(void)state;
	skip_without();
	equip(&e);
	pid = support_fork();
	if (pid == 0)
		_exit(pthread_mutex_lock(e.lock));
	assert_int_equal(support_reap(pid), 0);
	pid = support_fork();
	if (pid == 0) {
		hold(sandbox_enter(false) == 0);
		live_on_sockets(&e);
		live_on_control(&e);
		live_on_memory();
		live_on_time_and_locks(&e);
		exit(0); /* as a worker does, with all that this takes */
	}
	play_the_others(&e);
	assert_int_equal(support_reap(pid), 0);
	put_away(&e);
}

static void
test_it_can_abort(void **state)
{
	pid_t pid;

	(void)state;
	skip_without();
	pid = support_fork();
	if (pid == 0) {
		no_core();
		hold(sandbox_enter(false) == 0);
		abort();
	}
	assert_int_equal(support_reap(pid), 1000 + SIGABRT);
}

/* The ring sends on; it cannot be made to do more, and there is no other. */
static void
use_ring(int ends[2])
{
	struct uring *uring;
	void *owner;
	char text[8];
	int sent;

	if (uring_open(8, 64, &uring) < 0)
		_exit(GRANTED);
	hold(sandbox_enter(true) == 0);
	hold(uring_know(uring, ends[0]) == 0);
	uring_add(uring, ends[0], SPAN("hello"), ends);
	hold(uring_submit(uring) == 1);
	hold(!uring_next(uring, &owner, &sent));
	hold(recv(ends[1], text, sizeof(text), 0) == 5);
	uring_forget(uring, ends[0]);
	hold(syscall(SYS_io_uring_register, 0, IORING_REGISTER_BUFFERS, page, 1) == -1);
	hold(errno == EPERM);
	uring_close(uring);
	_exit(0);
}

static void
test_a_ring_is_used_on(void **state)
{
	int ends[2], outcome;
	pid_t pid;

	(void)state;
	skip_without();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	pid = support_fork();
	if (pid == 0)
		use_ring(ends);
	outcome = support_reap(pid);
	(void)close(ends[0]);
	(void)close(ends[1]);
	if (outcome == GRANTED)
		skip(); /* no io_uring here */
	assert_int_equal(outcome, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_the_other_way_in),
		cmocka_unit_test(test_there_is_no_way_back),
		cmocka_unit_test(test_what_a_worker_lives_on),
		cmocka_unit_test(test_it_can_abort),
		cmocka_unit_test(test_a_ring_is_used_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
