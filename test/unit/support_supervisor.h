/*
 * A stage for the supervisor: it runs in a child process with a home of its own and a port that the
 * system picks, and its workers are puppets. What each life of each puppet does is written into
 * memory that all share, and so is what became of it.
 */
#pragma once

#include "support_cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "bus/ring.h"
#include "bus/ring_view.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "conf/data.h"
#include "supervisor/supervisor.h"
#include "sys/control.h"
#include "sys/inherit.h"
#include "sys/lockfile.h"
#include "sys/paths.h"
#include "sys/process.h"

enum { STAGE_WORKERS = 2, STAGE_LIVES = 16, STAGE_PATIENCE_MS = 60000 };

/* What a puppet does in one life; all but the first are deaths of their kind. */
enum act {
	ACT_SERVE = 0,
	ACT_DIE_AT_ONCE, /* before READY */
	ACT_REFUSE,	 /* status 2, before READY */
	ACT_NEVER_READY, /* beats, and no more */
	ACT_STAND_STILL, /* serves, but its heartbeat is old */
	ACT_HOLD_LOCK,	 /* serves, with the ring's lock in its hand */
	ACT_DEAF,	 /* serves, but does not drain */
	ACT_BABBLE,	 /* serves, and sends what is no control message */
	ACT_LINGER,	 /* serves, and outlives the supervisor a little */
};

struct stage_slot {
	_Atomic int act[STAGE_LIVES]; /* by generation, the first is 1 */
	_Atomic unsigned starts;
	_Atomic int pid, fds, expected_fds, had_drain_reason;
	_Atomic unsigned uid, gid, umask;
	_Atomic int no_new_privs, death_signal;
};

struct stage {
	char home[32];
	char reason[512]; /* what came over the ready pipe, without the newline */
	pid_t supervisor;
	int ready_fd;
	struct conf conf;
	struct stage_slot slots[STAGE_WORKERS];
	_Atomic int last_event_is_shutdown;
	char epoch[32];
	_Atomic uint64_t head;
};

static struct stage *stage;

/* --- waiting for what must come --------------------------------------------------------------- */

static inline void
stage_pause(void)
{
	(void)nanosleep(&(const struct timespec){ .tv_nsec = 5000000 }, NULL);
}

/* Waits until the condition holds; the limit is only there for what never comes. */
#define stage_await(condition)                                                 \
	do {                                                                   \
		uint64_t stage_limit_ms = clock_mono_ms() + STAGE_PATIENCE_MS; \
		while (!(condition)) {                                         \
			if (clock_mono_ms() > stage_limit_ms)                  \
				fail_msg("never came true: %s", #condition);   \
			stage_pause();                                         \
		}                                                              \
	} while (0)

static inline bool
stage_is_gone(pid_t pid)
{
	uint64_t ticks;

	return process_start_ticks(pid, &ticks) == -ESRCH;
}

/* --- puppets ---------------------------------------------------------------------------------- */

static inline void
puppet_look_around(const struct inherit *inherit, struct stage_slot *slot)
{
	struct ring *ring = segment_ring(inherit->segment);
	int death_signal = 0;
	uint64_t fds = 0;

	if (process_open_fds(getpid(), &fds) < 0)
		_exit(99);
	slot->fds = (int)fds;
	/* stdin, stdout, stderr, control, socket, lock, log, segment; and the others */
	slot->expected_fds = (int)(8 + inherit->listen_count + segment_slots(inherit->segment));
	slot->uid = getuid();
	slot->gid = getgid();
	slot->umask = umask(0);
	slot->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	(void)prctl(PR_GET_PDEATHSIG, &death_signal);
	slot->death_signal = death_signal;
	stage->head = ring_head(ring);
	(void)snprintf(stage->epoch, sizeof(stage->epoch), "%s", ring_epoch(ring));
}

static inline void
puppet_note_last_event(const struct inherit *inherit)
{
	struct ring *ring = segment_ring(inherit->segment);
	struct buf frames = { 0 }, labels = { 0 };
	struct ring_record record;

	if (ring_read(ring, ring_head(ring), &frames, &labels, &record) == RING_RECORD &&
	    span_is(span_make(labels.data + record.label_offset, record.name_len),
		"gateway.shutdown") &&
	    record.flags == RING_FLAG_ALWAYS &&
	    memmem(frames.data, frames.len, "{\"reason\":\"stopping\"}", 21) != NULL)
		stage->last_event_is_shutdown = 1;
	buf_fini(&frames);
	buf_fini(&labels);
}

/* The next order, or silence for a moment. Returns -1 to go on, or the status to end with. */
static inline int
puppet_listen(const struct inherit *inherit, enum act act)
{
	struct pollfd pfd = { .fd = inherit->control_fd, .events = POLLIN };
	struct control_message msg;
	struct control_drain drain;
	int fd, r;

	(void)poll(&pfd, 1, 20);
	r = control_receive(inherit->control_fd, &msg);
	if (r == 0 && act == ACT_LINGER)
		for (int i = 0; i < 60; i++)
			stage_pause();
	if (r == 0)
		return 1;
	if (r < 0 || act == ACT_DEAF)
		return -1;
	if (control_take_log(&msg, &fd) == 0) {
		(void)close(log_set_file(fd));
		log_info("puppet %u has another log", inherit->slot);
		return -1;
	}
	if (control_read_drain(&msg, &drain) < 0)
		return 98;
	stage->slots[inherit->slot].had_drain_reason = drain.reason;
	puppet_note_last_event(inherit);
	return 0;
}

static inline int
puppet_serve(const struct inherit *inherit, enum act act)
{
	struct roster *roster = segment_roster(inherit->segment);
	int status;

	if (act != ACT_NEVER_READY) {
		roster_set_state(roster, inherit->slot, ROSTER_SERVING);
		if (control_send(inherit->control_fd, CONTROL_READY, NULL, 0, NULL, 0) < 0)
			return 97;
	}
	if (act == ACT_BABBLE && send(inherit->control_fd, "?", 1, MSG_NOSIGNAL) < 0)
		return 96;
	if (act == ACT_HOLD_LOCK &&
	    shlock_take(&segment_ring(inherit->segment)->parts.shared->lock, NULL) < 0)
		return 95;
	for (;;) {
		/* 1 is long ago on any machine, also on one that has just started. */
		roster_beat(roster, inherit->slot, act == ACT_STAND_STILL ? 1 : clock_mono_ms());
		status = puppet_listen(inherit, act);
		if (status >= 0)
			return status;
	}
}

static inline int
puppet_main(const struct inherit *inherit)
{
	struct stage_slot *slot = &stage->slots[inherit->slot];
	enum act act = (enum act)slot->act[min_u64(inherit->generation, STAGE_LIVES) - 1];

	slot->pid = getpid();
	puppet_look_around(inherit, slot);
	slot->starts++;
	if (act == ACT_DIE_AT_ONCE)
		return 7;
	if (act == ACT_REFUSE)
		return 2;
	/* As if the kernel were slow to tell of the supervisor's death. */
	if (act == ACT_LINGER)
		(void)prctl(PR_SET_PDEATHSIG, 0);
	return puppet_serve(inherit, act);
}

/* --- the supervisor --------------------------------------------------------------------------- */

static inline void
stage_run_supervisor(int ready_fd)
{
	const struct supervisor_program program = { .worker_main = puppet_main };
	const struct supervisor_options options = { .conf = &stage->conf, .ready_fd = ready_fd };

	exit(supervisor_run(&options, &program));
}

/* Starts a supervisor, and waits for what it says. True: it is ready. */
static inline bool
stage_start(void)
{
	int pipe_fds[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(pipe_fds[0]);
		stage_run_supervisor(pipe_fds[1]);
	}
	stage->supervisor = pid;
	(void)close(pipe_fds[1]);
	n = read(pipe_fds[0], stage->reason, sizeof(stage->reason) - 1);
	assert_true(n > 1);
	assert_int_equal(stage->reason[n - 1], '\n');
	stage->reason[n - 1] = '\0';
	/* Nothing else holds it open: the children have closed theirs. */
	assert_int_equal(read(pipe_fds[0], &(char){ 0 }, 1), 0);
	(void)close(pipe_fds[0]);
	return strcmp(stage->reason, "ready") == 0;
}

/* Waits for the supervisor to exit, and returns its status. */
static inline int
stage_wait(void)
{
	int status = -1;

	assert_int_equal(waitpid(stage->supervisor, &status, 0), stage->supervisor);
	stage->supervisor = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline void
stage_signal(int number)
{
	assert_true(stage->supervisor > 0);
	assert_int_equal(kill(stage->supervisor, number), 0);
}

static inline int
stage_stop(void)
{
	stage_signal(SIGTERM);
	return stage_wait();
}

/* Kills the supervisor without warning. */
static inline void
stage_murder(void)
{
	int status;

	stage_signal(SIGKILL);
	assert_int_equal(waitpid(stage->supervisor, &status, 0), stage->supervisor);
	stage->supervisor = 0;
}

static inline pid_t
stage_holder(void)
{
	char *path = paths_lock(stage->home);
	pid_t holder = 0;
	int r = lockfile_holder(path, &holder);

	mem_free(path);
	return r < 0 ? (pid_t)r : holder;
}

/* The port that the running gateway has, as its lock file says. */
static inline uint16_t
stage_port(void)
{
	char *path = paths_lock(stage->home), text[LOCKFILE_TEXT_MAX];
	const struct span prefix = SPAN("ws://127.0.0.1:");
	struct span line;
	uint64_t port = 0;

	assert_int_equal(lockfile_read_extra(path, text), 0);
	mem_free(path);
	line = span_cstr(text);
	assert_true(span_has_prefix(line, prefix));
	assert_int_equal(line.p[line.n - 1], '\n');
	line = span_skip(span_make(line.p, line.n - 1), prefix.n);
	assert_int_equal(parse_u64(line, UINT16_MAX, &port), 0);
	return (uint16_t)port;
}

static inline bool
stage_segment_exists(void)
{
	char name[PATHS_SEGMENT_NAME_MAX];
	int fd;

	assert_int_equal(paths_segment_name(stage->home, geteuid(), name), 0);
	fd = shm_open(name, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* Whether the log holds the text. */
static inline bool
stage_log_has(const char *text)
{
	static char log[1 << 20];
	int fd = open(stage->conf.gateway.log_file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, log, sizeof(log) - 1);

	if (fd >= 0)
		(void)close(fd);
	if (n < 0)
		return false;
	log[n] = '\0';
	return strstr(log, text) != NULL;
}

/* --- around each test ------------------------------------------------------------------------- */

static inline int
stage_set_up(void **state)
{
	static char log_file[64], host[] = "127.0.0.1", root[] = "root", none[] = "";
	struct stage *s;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return -1;
	(void)snprintf(s->home, sizeof(s->home), "/tmp/supervisor-XXXXXX");
	if (mkdtemp(s->home) == NULL)
		return -1;
	(void)snprintf(log_file, sizeof(log_file), "%s/logs/gateway.log", s->home);
	s->conf.home = s->home;
	s->conf.gateway.host = host;
	s->conf.gateway.workers = STAGE_WORKERS;
	s->conf.gateway.max_connections = 100;
	s->conf.gateway.drain_timeout_ms = 5000;
	s->conf.gateway.listen_backlog = 16;
	s->conf.gateway.ring_bytes = 65536;
	s->conf.gateway.mailbox_bytes = 65536;
	s->conf.gateway.log_file = log_file;
	s->conf.gateway.log_level = LOG_LEVEL_INFO;
	/* Puppets look around in /proc, and report leaks to files. */
	s->conf.gateway.user = geteuid() == 0 ? root : none;
	s->conf.gateway.group = none;
	stage = s;
	*state = s;
	return 0;
}

static inline int
stage_tear_down(void **state)
{
	static const char *const files[] = { "run/gateway.lock", "run/gateway.sock",
		"logs/gateway.log", "run", "logs", "data", "" };
	char name[PATHS_SEGMENT_NAME_MAX], path[96];

	(void)state;
	if (stage->supervisor > 0) {
		(void)kill(stage->supervisor, SIGKILL);
		(void)waitpid(stage->supervisor, NULL, 0);
	}
	if (paths_segment_name(stage->home, geteuid(), name) == 0)
		(void)!segment_unlink(name);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", stage->home, files[i]);
		(void)remove(path);
	}
	return munmap(stage, sizeof(*stage));
}

/* Kills a puppet; never anything that is not one. */
static inline void
stage_kill(int slot, int number)
{
	pid_t pid = stage->slots[slot].pid;

	assert_true(pid > 1);
	assert_int_equal(kill(pid, number), 0);
}

#define stage_test(body) cmocka_unit_test_setup_teardown(body, stage_set_up, stage_tear_down)
