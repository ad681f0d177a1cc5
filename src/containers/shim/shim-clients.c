/* The shim's socket: the engine's connection, and attached clients. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "containers/shim/shim.h"

void shim_accept(Shim *shim) {
        int fd = accept4(shim->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
                return;
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++)
                if (shim->clients[i].fd < 0) {
                        shim->clients[i] = (ShimClient){
                                .fd = fd, .input = BUFFER_INIT_LIMIT(SHIM_FRAME_HEADER + SHIM_PAYLOAD_MAX)};
                        return;
                }
        (void)close(fd);
}

/* Without the engine nobody can start what waits to be started: it goes. What runs goes on. */
void shim_client_close(Shim *shim, ShimClient *client) {
        bool was_control = client->control, gave_input = client->streams & SHIM_WANTS_STDIN;

        (void)close(client->fd);
        buffer_deinit(&client->input);
        buffer_deinit(&client->output);
        *client = (ShimClient){.fd = -1};
        if (gave_input)
                shim_end_input(shim);
        if (was_control && shim->stage < SHIM_STAGE_STARTING)
                shim_undo(shim);
}

void shim_tell(ShimClient *client, ShimFrame type, const void *payload, size_t length) {
        uint8_t header[SHIM_FRAME_HEADER];

        shim_frame_header(header, (uint8_t)type, (uint32_t)length);
        (void)buffer_append(&client->output, header, sizeof(header));
        (void)buffer_append(&client->output, payload, length);
}

void shim_tell_engine(Shim *shim, ShimFrame type, const void *payload, size_t length) {
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++)
                if (shim->clients[i].fd >= 0 && shim->clients[i].control)
                        shim_tell(&shim->clients[i], type, payload, length);
}

void shim_tell_u32(Shim *shim, ShimFrame type, uint32_t value) {
        const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};

        shim_tell_engine(shim, type, bytes, sizeof(bytes));
}

bool shim_output_is_stuck(const Shim *shim) {
        for (size_t i = 0; i < SHIM_CLIENTS_MAX; i++)
                if (shim->clients[i].fd >= 0 && buffer_length(&shim->clients[i].output) > SHIM_CLIENT_OUTPUT_MAX)
                        return true;
        return false;
}

void shim_client_flush(Shim *shim, ShimClient *client) {
        while (buffer_length(&client->output) > 0) {
                ssize_t n =
                        send(client->fd, buffer_data(&client->output), buffer_length(&client->output), MSG_NOSIGNAL);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n < 0 || buffer_failed(&client->output)) {
                        shim_client_close(shim, client);
                        return;
                }
                buffer_consume(&client->output, (size_t)n);
        }
}

/* A new engine learns how far we are. */
static void greet_engine(Shim *shim, ShimClient *client) {
        client->control = true;
        if (shim->stage == SHIM_STAGE_MADE)
                shim_tell_u32(shim, SHIM_MADE, (uint32_t)shim->process);
        else if (shim->stage == SHIM_STAGE_RUNNING)
                shim_tell_u32(shim, SHIM_STARTED, (uint32_t)shim->process);
}

static void handle_control(Shim *shim, uint8_t type, Slice payload) {
        const uint8_t *bytes = (const uint8_t *)payload.data;

        if (type == SHIM_START && shim->stage == SHIM_STAGE_MADE) {
                (void)shim_start(shim);
        } else if (type == SHIM_UNDO && shim->stage < SHIM_STAGE_RUNNING) {
                shim_undo(shim);
        } else if (type == SHIM_SIGNAL && payload.length == 4 && shim->process > 0 && !shim->process_ended) {
                /* it is our child and not yet waited for, so that this pid is nobody else's */
                (void)kill(shim->process, (int)shim_u32(bytes));
        } else if (type == SHIM_RESIZE && payload.length == 4) {
                shim->rows = (uint16_t)(bytes[0] << 8 | bytes[1]);
                shim->columns = (uint16_t)(bytes[2] << 8 | bytes[3]);
                shim_resize(shim);
        }
}

static void handle_frame(Shim *shim, ShimClient *client, uint8_t type, Slice payload) {
        if (type == SHIM_CONTROL && !client->streams) {
                greet_engine(shim, client);
        } else if (type == SHIM_ATTACH && payload.length == 1 && !client->control) {
                client->streams = (uint8_t)payload.data[0];
                shim_tell(client, SHIM_ATTACHED, NULL, 0);
        } else if (client->control) {
                handle_control(shim, type, payload);
        } else if (type == SHIM_STDIN && client->streams & SHIM_WANTS_STDIN) {
                if (shim->input >= 0 || shim->stage < SHIM_STAGE_RUNNING)
                        (void)buffer_append(&shim->input_pending, payload.data, payload.length);
                shim_write_input(shim);
        } else if (type == SHIM_INPUT_END && client->streams & SHIM_WANTS_STDIN) {
                client->streams &= (uint8_t)~SHIM_WANTS_STDIN;
                shim_end_input(shim);
        }
}

void shim_client_read(Shim *shim, ShimClient *client) {
        void *room =
                buffer_reserve(&client->input, SHIM_FRAME_HEADER + SHIM_PAYLOAD_MAX - buffer_length(&client->input));
        size_t size = SHIM_FRAME_HEADER + SHIM_PAYLOAD_MAX - buffer_length(&client->input);
        ssize_t n = room ? recv(client->fd, room, size, 0) : 0;
        Slice payload;
        uint8_t type;
        int r;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                shim_client_close(shim, client);
                return;
        }
        buffer_commit(&client->input, (size_t)n);
        while ((r = shim_frame_next(&client->input, &type, &payload)) > 0) {
                handle_frame(shim, client, type, payload);
                shim_frame_done(&client->input, payload);
        }
        if (r < 0)
                shim_client_close(shim, client);
        else if (buffer_length(&client->input) == 0)
                buffer_deinit(&client->input); /* an idle shim keeps no memory */
        if (client->fd >= 0 && client->input.limit == 0)
                client->input.limit = SHIM_FRAME_HEADER + SHIM_PAYLOAD_MAX;
}
