/*
 * Gives a fuzz target what is known to have been worth a look: all files of the folders named, each
 * in memory of its own size. The main() of a target when there is no libFuzzer.
 * usage: replay_NAME FOLDER...
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { PATH_BYTES = 4096 };

/* Whether the file was read and the target came back. */
static bool
replay_file(const char *path)
{
	FILE *file = fopen(path, "r");
	struct stat st;
	uint8_t *bytes;
	size_t n;
	bool whole;

	if (file == NULL || fstat(fileno(file), &st) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	n = (size_t)st.st_size;
	bytes = block_new(n);
	whole = fread(bytes, 1, n, file) == n;
	fclose(file);
	/* Before, not after: the last name is that of the file that broke something. */
	printf("%s\n", path);
	fflush(stdout);
	if (whole)
		LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return whole;
}

/* Counts what was replayed; false when something could not be read. */
static bool
replay_folder(const char *folder, unsigned *count)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_BYTES];
	bool is_well = true;

	if (dir == NULL) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return false;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		is_well = replay_file(path) && is_well;
		++*count;
	}
	closedir(dir);
	return is_well;
}

int
main(int argc, char **argv)
{
	unsigned count = 0;
	bool is_well = true;

	for (int i = 1; i < argc; i++)
		is_well = replay_folder(argv[i], &count) && is_well;
	printf("%u files\n", count);
	return is_well && count > 0 ? 0 : 1;
}
