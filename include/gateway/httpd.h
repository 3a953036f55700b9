/*
 * The HTTP stage of a connection (RFC 9112): heads in, endpoints answered, upgrades handed to WebSocket.
 */
#pragma once

#include "gateway/connection.h"

/* The handler with which every accepted connection begins. */
extern const struct connection_handler httpd_handler;
