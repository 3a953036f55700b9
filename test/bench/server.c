/*
 * A server is a process and its descendants; they are looked up anew each time, since a worker may have
 * been replaced. /proc/PID/stat has the CPU time in hundredths of a second; the clock that
 * clock_getcpuclockid names has the same sum in nanoseconds.
 */
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct totals {
	unsigned processes;
	uint64_t cpu_ns;
	struct server_memory memory;
};

typedef void (*visit_fn)(int pid, struct totals *totals);

static void
visit(int pid, visit_fn add, struct totals *totals)
{
	char path[80];
	FILE *file;
	int child;

	add(pid, totals);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fscanf(file, "%d", &child) == 1)
		visit(child, add, totals);
	fclose(file);
}

static void
add_cpu(int pid, struct totals *totals)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0)
		totals->cpu_ns += (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

static void
add_line(const char *line, struct server_memory *memory)
{
	const struct {
		const char *name;
		uint64_t *sum;
	} fields[] = {
		{ "Rss:", &memory->rss_bytes },
		{ "Pss:", &memory->pss_bytes },
		{ "Pss_File:", &memory->pss_file_bytes },
		{ "Pss_Shmem:", &memory->pss_shmem_bytes },
	};
	uint64_t kb;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t n = strlen(fields[i].name);

		if (strncmp(line, fields[i].name, n) == 0 && sscanf(line + n, "%" SCNu64, &kb) == 1)
			*fields[i].sum += kb * 1024;
	}
}

static void
add_memory(int pid, struct totals *totals)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL)
		add_line(line, &totals->memory);
	fclose(file);
}

static void
add_one(int pid, struct totals *totals)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	totals->processes++;
	fclose(file);
}

uint64_t
server_cpu_ns(int pid)
{
	struct totals totals = { 0 };

	visit(pid, add_cpu, &totals);
	return totals.cpu_ns;
}

struct server_memory
server_memory(int pid)
{
	struct totals totals = { 0 };

	visit(pid, add_memory, &totals);
	return totals.memory;
}

unsigned
server_processes(int pid)
{
	struct totals totals = { 0 };

	visit(pid, add_one, &totals);
	return totals.processes;
}
