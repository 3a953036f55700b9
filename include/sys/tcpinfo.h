/*
 * What the kernel knows of a TCP connection.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"

/*
 * How many bytes the peer of a TCP socket has sent and has acknowledged so far, as the kernel counts them. Returns
 * 0; -EOPNOTSUPP for a socket of another kind; another -errno.
 */
int tcpinfo_bytes(int fd, uint64_t *ret_received, uint64_t *ret_acknowledged) must_check;
