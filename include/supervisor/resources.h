/*
 * What the gateway owns while it runs, and all of its processes share: listeners, lock, log file,
 * shared segment. Acquired in one order, given back in the reverse.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "bus/segment.h"
#include "supervisor/binding.h"
#include "sys/inherit.h"
#include "sys/paths.h"

struct conf;

struct resources {
	const struct conf *conf;
	bool foreground;
	unsigned workers; /* how many will run */
	uint64_t files;	  /* RLIMIT_NOFILE that is in force */
	struct binding binding;
	int lock_fd, log_fd, unix_fd; /* -1: none */
	char *lock_path, *socket_path;
	char segment_name[PATHS_SEGMENT_NAME_MAX];
	struct segment *segment;
	enum segment_origin origin;
};

/* What becomes of the files and the segment when the gateway ends. */
enum resources_fate {
	RESOURCES_REMOVE, /* a stop that was asked for: nothing stays */
	RESOURCES_LEAVE,  /* a start that failed: what it adopted stays as it was found */
};

/*
 * Acquires all of it for so many workers: raises RLIMIT_NOFILE, binds, takes the lock (both wait
 * up to 3 s for the orphans of a dead gateway), makes the folders, opens log, segment and socket.
 * Returns 0; or -errno with a line for people in REASON: then nothing is held any more.
 */
int resources_open(const struct conf *conf, bool foreground, unsigned workers,
    struct resources *ret, struct buf *reason) must_check;

/* Gives all back; the lock last, so that whoever gets it finds the port free. */
void resources_close(struct resources *resources, enum resources_fate fate);

/* Names what the children share in INHERIT; what belongs to one child stays as it is. */
void resources_share(const struct resources *resources, struct inherit *inherit);
