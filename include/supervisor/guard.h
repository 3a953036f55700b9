/*
 * What the operator should know about who is let in, and what keeps secrets out of core files.
 */
#pragma once

struct conf;

/* Logs a warning for each setting of authentication that lets in more, or fewer, than one may think. */
void guard_warn(const struct conf *conf);

/* Warns of a certificate that has expired, or does within two weeks. */
void guard_warn_of_expiry(const struct conf *conf);

/* Warns of each secret that the environment gave, since no reload can take it away. */
void guard_tell_fixed(const struct conf *conf);

/*
 * Has this process, and those that it forks from then on, leave no core file while clients come with
 * secrets, or there is a private key: one may be on its way through a buffer at any time.
 */
void guard_forbid_core(const struct conf *conf);
