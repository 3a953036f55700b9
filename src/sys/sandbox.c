/*
 * Why this file exists: the one list of what a worker may ask of the kernel. It is written for what this
 * program and its libraries do on x86-64 and arm64; a name that an architecture lacks is skipped.
 *
 * No argument that is a pointer can be judged, so a call is allowed only when nothing that it may be
 * given by way of memory matters: none of these takes a path. io_uring would be a way around all of it;
 * the ring is restricted to sends before (sys/uring.c), and another one cannot be made.
 */
#include "sys/sandbox.h"

#include "config.h"

#ifdef LURKBOT_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/macros.h"

/* Without a look at their arguments: the kernel keeps these in a table, and they cost next to nothing. */
static const int allowed[] = {
	/* bytes, in and out of what is open */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(close),
	/* sockets that there are; new ones come from a listener or by SCM_RIGHTS */
	SCMP_SYS(accept4),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* waiting */
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(restart_syscall),
	/* memory; what could become code is below */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* time, chance, and who we are */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(sysinfo), /* how much memory there is: qsort(3) asks */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	/* signals to oneself (below whom), and the end */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* Nothing of ours or of a library of ours makes these: whoever does is somebody else. */
static const int fatal[] = {
	/* programs and processes */
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	/* other processes */
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	/* another root, other namespaces */
	SCMP_SYS(chroot),
	SCMP_SYS(pivot_root),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	/* the kernel: its modules, and the parts of it through which it is attacked */
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(bpf),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(keyctl),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
};

/* One argument of a call has to be this, in the bits of the mask. */
struct narrow {
	int call;
	unsigned argument;
	uint64_t mask, value;
};

static const struct narrow narrow[] = {
	/* No page that can be executed. */
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
	/* Not F_SETFL, which could take O_APPEND off the log, nor F_SETOWN, which lets the kernel signal. */
	{ SCMP_SYS(fcntl), 1, UINT32_MAX, F_DUPFD_CLOEXEC },
	{ SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETFD },
	{ SCMP_SYS(fcntl), 1, UINT32_MAX, F_GETFL },
	{ SCMP_SYS(fcntl), 1, UINT32_MAX, F_GET_SEALS },
	/* From the first reload with tokens on there is to be no core file. */
	{ SCMP_SYS(prlimit64), 1, UINT32_MAX, RLIMIT_CORE },
};

/*
 * The highest bit says by which kind of number the ring is meant. The ring itself refuses the second (sys/uring.c),
 * with which liburing begins to close it.
 */
static const struct narrow narrow_uring[] = {
	{ SCMP_SYS(io_uring_register), 1, INT32_MAX, IORING_REGISTER_FILES_UPDATE },
	{ SCMP_SYS(io_uring_register), 1, INT32_MAX, IORING_UNREGISTER_RING_FDS },
};
static const int enter_uring = SCMP_SYS(io_uring_enter);

static int
add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(filter, action, calls[i], 0);
	return r;
}

static int
add_narrow(scmp_filter_ctx filter, const struct narrow *rules, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct scmp_arg_cmp condition = { .arg = rules[i].argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = rules[i].mask,
			.datum_b = rules[i].value };

		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, 1, &condition);
	}
	return r;
}

/* abort(3) and raise(3) signal the process itself; there is nobody else to signal. */
static int
add_signals(scmp_filter_ctx filter)
{
	const struct narrow to_oneself[] = {
		{ SCMP_SYS(kill), 0, UINT32_MAX, (uint32_t)getpid() },
		{ SCMP_SYS(tgkill), 0, UINT32_MAX, (uint32_t)getpid() },
	};

	return add_narrow(filter, to_oneself, ARRAY_LEN(to_oneself));
}

static int
configure(scmp_filter_ctx filter)
{
	/* 32-bit system calls on a 64-bit machine are another way to the same calls. */
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (r < 0)
		return r;
	/*
	 * Without it older kernels turn off speculative stores for whoever is filtered, which costs
	 * much, and guards against code that shares our process and must not read its memory: none does.
	 * And what is refused gets into the audit log. Where one cannot be had it is no reason to fail.
	 */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	return 0;
}

static int
fill(scmp_filter_ctx filter, bool with_uring)
{
	int r = configure(filter);

	if (r == 0)
		r = add_all(filter, SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed));
	if (r == 0)
		r = add_all(filter, SCMP_ACT_KILL_PROCESS, fatal, ARRAY_LEN(fatal));
	if (r == 0)
		r = add_narrow(filter, narrow, ARRAY_LEN(narrow));
	if (r == 0)
		r = add_signals(filter);
	if (r == 0 && with_uring)
		r = add_all(filter, SCMP_ACT_ALLOW, &enter_uring, 1);
	if (r == 0 && with_uring)
		r = add_narrow(filter, narrow_uring, ARRAY_LEN(narrow_uring));
	return r;
}

bool
sandbox_is_built_in(void)
{
	return true;
}

int
sandbox_enter(bool with_uring)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (filter == NULL)
		return -ENOMEM;
	r = fill(filter, with_uring);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

#else

bool
sandbox_is_built_in(void)
{
	return false;
}

int
sandbox_enter(bool with_uring)
{
	(void)with_uring;
	return 0;
}

#endif
