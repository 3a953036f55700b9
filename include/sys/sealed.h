/*
 * Bytes that one process hands to others by descriptor: memory that nobody can change any more, so
 * that what a receiver has judged stays so, and that a process which may open no file can read.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

/* Makes a descriptor of the bytes, sealed and close-on-exec; the caller closes it. 0 or -errno. */
int sealed_new(const char *name, struct span bytes, int *ret_fd) must_check;

/*
 * Appends all bytes of a sealed descriptor, wherever its offset stands. 0; -EBADMSG when it is not
 * sealed against every change, or holds more than `max`; -ENOMEM; what lseek(2) or pread(2) said.
 */
int sealed_read(int fd, size_t max, struct buf *out) must_check;
