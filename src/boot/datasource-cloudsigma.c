/* CloudSigma: the hypervisor answers on the machine's second serial port. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <termios.h>

#include "boot/datasource.h"
#include "host/file.h"

#define PRODUCT_PATH "/sys/class/dmi/id/product_name"
#define NETWORKD_PATH "/run/systemd/netif/state" /* networkd keeps it while it runs */
#define LEASES_PATH "/run/systemd/netif/leases"
#define ALL_OF_IT "<\n\n>" /* '<', a key, '>', each on a line; no key is everything */
#define END_OF_ANSWER '\x04'

enum { ANSWER_SECONDS = 10, PIECE = 4096 };

/* ---- the port ---- */

/* Bytes as they are, without an echo. What came before is of no question of ours. */
static int make_raw(int fd) {
        struct termios settings;

        if (tcgetattr(fd, &settings) < 0)
                return -errno;
        cfmakeraw(&settings);
        settings.c_cflag |= CLOCAL | CREAD;
        (void)cfsetspeed(&settings, B115200);
        if (tcsetattr(fd, TCSANOW, &settings) < 0 || tcflush(fd, TCIOFLUSH) < 0)
                return -errno;
        return 0;
}

/* Appends what comes at once; 1: the end was among it. */
static int take_piece(int fd, Buffer *to) {
        char piece[PIECE];
        ssize_t n = read(fd, piece, sizeof(piece));
        const char *end;

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        if (n == 0)
                return -EPIPE;
        end = memchr(piece, END_OF_ANSWER, (size_t)n);
        if (buffer_length(to) + (size_t)n > CLOUDSIGMA_CONTEXT_MAX)
                return -EMSGSIZE;
        if (buffer_append(to, piece, end ? (size_t)(end - piece) : (size_t)n) < 0)
                return -ENOMEM;
        return end != NULL;
}

static int await_answer(int fd, Buffer *to) {
        Usec end = clock_monotonic() + ANSWER_SECONDS * USEC_PER_SEC, now;
        int r = 0;

        while (r == 0) {
                struct pollfd port = {.fd = fd, .events = POLLIN};

                now = clock_monotonic();
                if (now >= end)
                        return -ETIMEDOUT;
                if (poll(&port, 1, (int)((end - now) / USEC_PER_MSEC) + 1) < 0 && errno != EINTR)
                        return -errno;
                r = port.revents ? take_piece(fd, to) : 0;
        }
        return r;
}

static int ask(const char *path, Buffer *to, Error *error) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        int r = fd < 0 ? -errno : make_raw(fd);

        if (r >= 0)
                r = file_write_all(fd, slice_from(ALL_OF_IT));
        if (r >= 0)
                r = await_answer(fd, to);
        if (r == -ETIMEDOUT)
                return error_set(error, r, "the hypervisor did not answer on %s within %d seconds", path,
                                 ANSWER_SECONDS);
        return r < 0 ? error_set_errno(error, r, "cannot ask the hypervisor on %s", path) : 0;
}

/* ---- this machine ---- */

static bool is_card(const struct sockaddr *address, const struct ether_addr *mac) {
        const struct sockaddr_ll *link = (const void *)address;

        return address && address->sa_family == AF_PACKET && link->sll_halen == ETH_ALEN &&
               memcmp(link->sll_addr, mac, ETH_ALEN) == 0;
}

static void append_address(const struct ifaddrs *all, const char *name, Buffer *to) {
        for (const struct ifaddrs *one = all; one; one = one->ifa_next)
                if (str_equals(one->ifa_name, name) && one->ifa_addr && one->ifa_addr->sa_family == AF_INET) {
                        const unsigned char *bytes =
                                (const void *)&((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr;

                        (void)buffer_printf(to, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
                        return;
                }
}

/* The address that the card with this hardware address has by now; none is none. */
static int find_address(Slice text, Buffer *to) {
        _cleanup_free_ char *copy = slice_dup(text);
        unsigned part[ETH_ALEN];
        struct ether_addr mac;
        struct ifaddrs *all;

        if (!copy)
                return -ENOMEM;
        if (sscanf(copy, "%2x:%2x:%2x:%2x:%2x:%2x", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5]) !=
            ETH_ALEN)
                return 0;
        for (size_t i = 0; i < ETH_ALEN; i++)
                mac.ether_addr_octet[i] = (uint8_t)part[i];
        if (getifaddrs(&all) < 0)
                return -errno;
        for (const struct ifaddrs *one = all; one && buffer_length(to) == 0; one = one->ifa_next)
                if (is_card(one->ifa_addr, &mac))
                        append_address(all, one->ifa_name, to);
        freeifaddrs(all);
        return buffer_failed(to);
}

/* networkd's DHCP may not be through yet, and addresses are not there before. Other programs leave no such note, and are not
 * waited for. */
static bool waits_for_address(void) {
        DIR *folder = access(NETWORKD_PATH, F_OK) == 0 ? opendir(LEASES_PATH) : NULL;
        struct dirent *entry;
        bool found = false;

        if (!folder)
                return false;
        while (!found && (entry = readdir(folder)))
                found = entry->d_name[0] != '.';
        (void)closedir(folder);
        return !found;
}

/* ---- the datasource ---- */

static int cloudsigma_look(const Datasource *source, Fetch *fetch, Error *error) {
        _cleanup_buffer_ Buffer product = BUFFER_INIT;
        int r = file_read(PRODUCT_PATH, FILE_SMALL_MAX, &product, NULL);

        (void)fetch;
        if (r < 0 || !str_starts_with(buffer_string(&product) ?: "", "CloudSigma"))
                return error_set(error, -ENODEV, "this is no machine of CloudSigma: %s does not say so", PRODUCT_PATH);
        if (access(source->location, R_OK | W_OK) < 0)
                return error_set_errno(error, -errno, "%s", source->location);
        return waits_for_address() ? error_set(error, -EAGAIN, "%s has no lease of DHCP yet", LEASES_PATH) : 0;
}

static int cloudsigma_get_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        _cleanup_buffer_ Buffer context = BUFFER_INIT;
        int r = ask(source->location, &context, error);

        (void)fetch;
        return r < 0 ? r : cloudsigma_user_data((Slice){buffer_string(&context), buffer_length(&context)}, to, error);
}

static int cloudsigma_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer context = BUFFER_INIT;
        int r = ask(source->location, &context, error);

        (void)fetch;
        return r < 0 ? r
                     : metadata_parse_cloudsigma((Slice){buffer_string(&context), buffer_length(&context)},
                                                 find_address, metadata, error);
}

const DatasourceKind datasource_cloudsigma = {.name = "server-context",
                                              .waits = true,
                                              .look = cloudsigma_look,
                                              .user_data = cloudsigma_get_user_data,
                                              .metadata = cloudsigma_metadata};
