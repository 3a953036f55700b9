/*
 * The log: one line for each message, to a file, to stderr, or both. A line goes out by one
 * write() for each sink, so lines of several processes that append to one file do not mix; it is at
 * most 4 KiB, and what is longer is cut and ends with "...". Control characters and bytes that are
 * not valid UTF-8 are escaped, so that no peer can forge a line. A sink that takes nothing (full
 * disk, full pipe that does not block) loses the line, and is told how many it has lost as soon as it
 * takes one again: logging needs no memory, never fails, and never changes errno. SIGPIPE is the caller's to ignore.
 *
 *	2026-11-22T21:06:25.123Z info  worker 0 [9f1c2ab4] message
 *	{"time":"2026-11-22T21:06:25.123Z","level":"info","process":"worker 0","conn":"9f1c2ab4","message":"..."}
 *
 * Level, format, sinks and process name are the only mutable globals of the project; they are set
 * while a process starts or reloads, by its one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_setup {
	enum log_level level; /* what lies below is not written */
	enum log_format format;
	int file_fd;   /* opened with O_APPEND by the caller, who keeps it; -1: no file */
	int stderr_fd; /* usually 2; -1: not there */
	bool stderr_has_priority; /* lines there begin with <3> to <7>, as sd-daemon(3) has it */
};

/* Counts the messages of one kind in a window of a minute. Zero-initialised is valid. */
struct log_limit {
	uint64_t window_start_ms;
	unsigned passed, suppressed;
};

enum { LOG_LINE_MAX = 4096 }; /* bytes of a line, its newline included */

/* Takes a copy of the setup. Before the first call text goes to descriptor 2 from level info on. */
void log_configure(const struct log_setup *);

/* What went to the file goes to this descriptor from now on. Returns the one it went to, or -1. */
int log_set_file(int fd) must_check;

/* Changes level and form alone; where the log goes stays. */
void log_set_form(enum log_level, enum log_format);

/*
 * Somebody else who is given each line, without its newline, before it goes to the sinks: may log nothing. NULL:
 * nobody. A child inherits it.
 */
typedef void (*log_tap_fn)(void *arg, enum log_level, struct span line);
void log_set_tap(log_tap_fn, void *arg);

/* How many lines sinks did not take since this was asked last. */
unsigned log_take_lost(void);

/* Says who writes, such as "supervisor" or "worker 0"; a copy of its first 31 bytes is kept. */
void log_set_process(const char *name);

/*
 * Writes one line. conn_id is the connection it is about, 0 for none. May be called anywhere but in
 * a signal handler. Keeps errno, so that "%m" and later code see what they expect.
 */
void log_write(enum log_level, uint32_t conn_id, const char *fmt, ...) printf_like(3, 4);

/*
 * For messages that a hostile peer can cause at will: true when this one may be written, which is
 * so for the first per_minute ones of each minute. Then ret_suppressed is how many were held back
 * since the last that passed (0: none), for the caller to tell; when false it is untouched.
 */
bool log_limit_pass(
    struct log_limit *, uint64_t now_ms, unsigned per_minute, unsigned *ret_suppressed) must_check;

/* Whether a message of this level is written now. */
bool log_is_enabled(enum log_level);

/* The level's name: "debug", "info", "warning", "error". */
const char *log_level_name(enum log_level);

/* The arguments are evaluated only when the level is enabled. */
#define log_at(level, conn_id, ...)                                 \
	do {                                                        \
		if (log_is_enabled(level))                          \
			log_write((level), (conn_id), __VA_ARGS__); \
	} while (0)

#define log_debug(...)	 log_at(LOG_LEVEL_DEBUG, 0, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_LEVEL_INFO, 0, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, 0, __VA_ARGS__)
#define log_error(...)	 log_at(LOG_LEVEL_ERROR, 0, __VA_ARGS__)

/* The same about one connection: the first argument is its id. */
#define log_conn_debug(conn_id, ...)   log_at(LOG_LEVEL_DEBUG, (conn_id), __VA_ARGS__)
#define log_conn_info(conn_id, ...)    log_at(LOG_LEVEL_INFO, (conn_id), __VA_ARGS__)
#define log_conn_warning(conn_id, ...) log_at(LOG_LEVEL_WARNING, (conn_id), __VA_ARGS__)
#define log_conn_error(conn_id, ...)   log_at(LOG_LEVEL_ERROR, (conn_id), __VA_ARGS__)
