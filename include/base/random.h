/*
 * Random bytes that nobody can foresee: for hash keys, epochs, connection ids.
 */
#pragma once

#include <stddef.h>

#include "base/macros.h"

/*
 * Fills n bytes from the kernel's generator. 0, or -errno when the kernel has none (the bytes are
 * then undefined). Blocks only early in the boot of the machine.
 */
int random_bytes(void *out, size_t n) must_check;
