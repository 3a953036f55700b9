/*
 * The server under measurement, seen from outside: CPU time and memory of all its processes, which
 * /proc tells.
 */
#pragma once

#include <stdint.h>

struct server_memory {
	uint64_t rss_bytes; /* what all processes have mapped; what they share counts for each */
	uint64_t pss_bytes; /* the same, with what is shared counted once */
	uint64_t pss_file_bytes;  /* of which program text and libraries, not written to */
	uint64_t pss_shmem_bytes; /* of which shared memory: a segment or an nginx zone */
};

/*
 * CPU time that process `pid` and all that descend from it have used, in nanoseconds. It is the
 * kernel's CPU clock of each process: all threads, also those that ended and the kernel's own
 * workers for it.
 */
uint64_t server_cpu_ns(int pid);

/* Their memory now. */
struct server_memory server_memory(int pid);

/* How many processes they are; 0 when there is no process `pid`. */
unsigned server_processes(int pid);
