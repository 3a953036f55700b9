/*
 * Reads a small file whole.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"

enum { READFILE_MAX = 1048576 }; /* no configuration is longer */

/*
 * Appends all of the file. 0; -EFBIG: it is longer than READFILE_MAX; -ENOMEM; or what open(2) or
 * read(2) said, such as -ENOENT. On failure the buffer may hold a part.
 */
int readfile(const char *path, struct buf *out) must_check;

/* The same of a descriptor, from where it stands; it stays open, and the caller's. */
int readfile_open(int fd, struct buf *out) must_check;
