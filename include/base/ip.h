/*
 * IP addresses as values: read, compared, told whether they lie in a network.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

/* IPv4 stands in it as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so each address has one form. */
struct ip {
	uint8_t bytes[16];
};

struct ip_network {
	struct ip ip;
	unsigned prefix; /* bits of the 128 */
};

/* Sets *ret to the IPv4 address of these 4 bytes. */
void ip_set_v4(struct ip *ret, const uint8_t bytes[4]);

/* Reads "192.0.2.1" or "2001:db8::1", without brackets, port or zone. 0 or -EINVAL. */
int ip_parse(struct span text, struct ip *ret) must_check;

/* Reads an address, or one with "/BITS" behind it, which is a network. 0 or -EINVAL. */
int ip_network_parse(struct span text, struct ip_network *ret) must_check;

bool ip_is_v4(const struct ip *ip);
bool ip_is_equal(const struct ip *a, const struct ip *b);

/* 127.0.0.0/8 or ::1. */
bool ip_is_loopback(const struct ip *ip);

/* Whether the address lies in the network. */
bool ip_network_has(const struct ip_network *network, const struct ip *ip);
