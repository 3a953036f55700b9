/*
 * The gateway's processes are single-threaded, so schedstat of the main thread is the whole process, and exact
 * to the nanosecond where stat counts hundredths.
 */
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t
cpu_of(int pid)
{
	char path[64];
	uint64_t ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNu64, &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

static uint64_t
rss_of(int pid)
{
	char path[64];
	uint64_t size, resident = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t
sum_family(int pid, uint64_t (*of)(int pid))
{
	char path[80];
	uint64_t sum = of(pid);
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	if (file == NULL)
		return sum;
	while (fscanf(file, "%d", &child) == 1)
		sum += of(child);
	fclose(file);
	return sum;
}

uint64_t
server_cpu_ns(int pid)
{
	return sum_family(pid, cpu_of);
}

uint64_t
server_rss_bytes(int pid)
{
	return sum_family(pid, rss_of);
}
