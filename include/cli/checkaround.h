/*
 * The checks of `lurkbot daemon diagnose` that are about what a gateway needs around it.
 */
#pragma once

struct checkup;
struct findings;

/* Its port takes connections, or is free for it. */
void checkaround_port(const struct checkup *, struct findings *);

/* The log does not fill the disk. */
void checkaround_log_size(const struct checkup *, struct findings *);

/* No error was logged within the last day. */
void checkaround_error_log(const struct checkup *, struct findings *);

/* The certificate, where TLS is on, is still good for some time. */
void checkaround_certificate(const struct checkup *, struct findings *);

/* As many connections as are allowed have room. */
void checkaround_descriptors(const struct checkup *, struct findings *);
