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
#include "supervisor/handover.h"
#include "sys/inherit.h"
#include "sys/paths.h"
#include "sys/privileges.h"
#include "sys/tickets.h"

struct conf;
struct setting;

struct resources {
	const struct conf *conf;
	bool foreground;
	unsigned workers;	  /* how many are to run */
	uint64_t files;		  /* RLIMIT_NOFILE that is in force */
	struct identity identity; /* of the children */
	struct handover handover; /* what came with the start and is not used yet */
	struct binding binding;
	bool is_control_given;	      /* unix_fd is the service manager's */
	bool is_segment_kept;	      /* the service manager has the segment already */
	int lock_fd, log_fd, unix_fd; /* -1: none */
	char *lock_path, *socket_path;
	char segment_name[PATHS_SEGMENT_NAME_MAX];
	struct segment *segment;
	enum segment_origin origin;
	struct tickets tickets; /* of TLS sessions */
};

/* What becomes of the files and the segment when the gateway ends. */
enum resources_fate {
	RESOURCES_REMOVE, /* a stop that was asked for: nothing stays */
	RESOURCES_LEAVE,  /* a start that failed: what it adopted stays as it was found */
};

/*
 * Acquires all of it, of what the service manager handed over (which is taken, also when it fails) where that
 * serves: raises RLIMIT_NOFILE, decides whom the children
 * become, binds, takes the lock (both wait up to 3 s for the orphans of a dead gateway), makes the folders,
 * opens log, segment and socket.
 * Returns 0; or -errno with a line for people in REASON: then nothing is held any more.
 */
int resources_open(const struct conf *conf, bool foreground, struct handover *handover,
    struct resources *ret, struct buf *reason) must_check;

/* Gives all back; the lock last, so that whoever gets it finds the port free. */
void resources_close(struct resources *resources, enum resources_fate fate);

/*
 * Gives to the service manager what is to outlive this process, so that the next one goes on where it stopped:
 * the segment, and the listeners that were bound here.
 */
void resources_store(const struct resources *resources);

/* Names what the children share in INHERIT; what belongs to one child stays as it is. */
void resources_share(struct resources *resources, struct inherit *inherit);

/* How many workers the configuration asks for: at least one. */
unsigned resources_workers(const struct conf *conf);

/* Whether what was laid out at the start has room for the setting's new value. */
bool resources_have_room(
    const struct resources *resources, const struct conf *next, const struct setting *setting);

/* Reserves what the workers of this configuration need. Returns 0 or -errno; more is harmless. */
int resources_reserve(const struct resources *resources, const struct conf *conf) must_check;

/* Another configuration is in force; the old one is not read any more. */
void resources_set_conf(struct resources *resources, const struct conf *conf);
