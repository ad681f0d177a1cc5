#include "containers/network/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

int port_hold(NetworkPort *port, int *ret_fd, Error *error) {
        bool tcp = str_equals(port->protocol, "tcp");
        _cleanup_close_ int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port->host)};
        socklen_t length = sizeof(address);
        int yes = 1;

        if (fd < 0)
                return error_set_errno(error, -errno, "cannot hold port %u", port->host);
        if (inet_pton(AF_INET, port->address, &address.sin_addr) != 1)
                return error_set(error, -EINVAL, "\"%s\" is no address to publish a port at", port->address);
        /* connections of an earlier container that wait for their time-out are no hindrance */
        if (tcp)
                (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || (tcp && listen(fd, 1) < 0)) {
                int r = -errno;

                if (r == -EADDRINUSE)
                        return error_set(error, r, "Bind for %s:%u failed: port is already allocated", port->address,
                                         port->host);
                return error_set_errno(error, r, "Bind for %s:%u failed", port->address, port->host);
        }
        if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
                return error_set_errno(error, -errno, "cannot hold port %u", port->host);
        port->host = ntohs(address.sin_port);
        *ret_fd = take_fd(fd);
        return 0;
}
