/*
 * Why this file exists: the kernel's struct tcp_info is newer than that of the C library, and one file can
 * include one of them only.
 */
#include "sys/tcpinfo.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

int
tcpinfo_bytes(int fd, uint64_t *ret_received, uint64_t *ret_acknowledged)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		return -errno;
	if (length <
	    offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
		return -EOPNOTSUPP;
	*ret_received = info.tcpi_bytes_received;
	*ret_acknowledged = info.tcpi_bytes_acked;
	return 0;
}
