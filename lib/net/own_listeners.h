/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where this process itself listens, so that it does not send mail to itself in a circle. What
 * the configuration names in numbers is refused when it is read; a name, or an address of this
 * machine behind a listener of every address, shows only when a connection stands. Any thread.
 */
#ifndef GATEPOST_NET_OWN_LISTENERS_H
#define GATEPOST_NET_OWN_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* own_listeners_set - from now on these; copied. */
void own_listeners_set(const struct sockaddr_storage *addresses, size_t count);

/* own_listeners_has - is the other end of this connected socket one of them? */
bool own_listeners_has(int fd);

#endif
