/*
 * The checks of `lurkbot daemon diagnose` that are about the service itself.
 */
#pragma once

struct checkup;
struct findings;

/* The unit: there, what it starts can be started, and it starts with the user. */
void checkservice_installed(const struct checkup *, struct findings *);

/* A gateway runs, and answers. */
void checkservice_running(const struct checkup *, struct findings *);

/* The last one ended in good order, and the one that runs is not started again and again. */
void checkservice_last_exit(const struct checkup *, struct findings *);

/* The configuration can be used, and serves those whom the address invites. */
void checkservice_configuration(const struct checkup *, struct findings *);
