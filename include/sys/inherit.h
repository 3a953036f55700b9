/*
 * All that a child process inherits from the supervisor, in one struct.
 *
 * The supervisor fills it before the fork. In the child every descriptor that is not named here
 * (or does not belong to the segment named here) is already closed when the child's main function
 * gets it; it is who struct identity says and has no privilege (sys/privileges.h); its umask is 077; and the signals INT, TERM, HUP, QUIT, USR1, USR2 and PIPE are ignored: a child is told
 * what to do by its control socket alone.
 *
 * Nothing here is ever given back or freed by the child: it ends by returning from its main
 * function.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct conf;
struct identity;
struct segment;
struct tickets;

enum { INHERIT_LISTEN_MAX = 8 };

/* Exit status of a child that cannot work with this configuration: it is not tried again. */
enum { INHERIT_REFUSED = 2 };

struct inherit {
	const struct conf *conf; /* what was in force at the fork */
	struct segment *segment; /* mapped; its descriptors are open */
	struct tickets *tickets; /* the child's own copy: it goes on by itself; NULL: none */
	unsigned slot;		 /* the child's place in the segment */
	uint32_t generation;	 /* 1 for the first process in this slot, then 2, 3… */
	int control_fd; /* sys/control.h; end of file: the supervisor is gone, exit at once */
	int listen_fds
	    [INHERIT_LISTEN_MAX]; /* for clients, TCP or Unix, shared by all workers, non-blocking */
	unsigned listen_count;
	int unix_fd; /* listener of run/gateway.sock, shared too, non-blocking */
	int lock_fd; /* holds the lock on run/gateway.lock while any process of the gateway lives */
	int log_fd;  /* the log file, or -1 */
	const struct identity *identity; /* whom the child became */
	uid_t owner_uid; /* who started the supervisor: has all scopes over unix_fd */
};
