/*
 * Points at which a test may kill this process: one behind each store that another process can see.
 *
 * In the program as it is shipped a failpoint is nothing at all. In a build with
 * -DLURKBOT_FAILPOINTS (make check-failpoints) each calls failpoint_reached, which the test's driver
 * defines: it counts, and ends the process at the n-th. Where nobody defines it, nothing happens.
 */
#pragma once

/* The driver's: `function` has just done what `store` names. */
void failpoint_reached(const char *function, const char *store) __attribute__((weak));

#ifdef LURKBOT_FAILPOINTS

#define failpoint(store)                                    \
	do {                                                \
		if (failpoint_reached != NULL)              \
			failpoint_reached(__func__, store); \
	} while (0)

#else

#define failpoint(store) ((void)0)

#endif
