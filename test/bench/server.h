/*
 * The server under measurement, seen from outside: CPU time and memory of its processes, from /proc.
 */
#pragma once

#include <stdint.h>

/* CPU time that the process `pid` and its children of the first generation have used, in nanoseconds. */
uint64_t server_cpu_ns(int pid);

/* Their resident memory in bytes. */
uint64_t server_rss_bytes(int pid);
