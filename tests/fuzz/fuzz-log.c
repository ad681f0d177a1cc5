/* Any bytes as a log's segment: recovery takes them or refuses them with a reason. What it takes, it takes again. */
#include "store/log/fake-disk.h"
#include "store/log/log-format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_file(Disk *disk, const char *name, const uint8_t *data, size_t size) {
        DiskFile *file;

        if (disk_open(disk, name, true, &file) < 0)
                abort();
        if (disk->ops->write(file, 0, data, size) < 0)
                abort();
        disk_close(file);
}

/* The number of entries, or < 0. */
static int open_once(Disk *disk, const Random *random) {
        _cleanup_(log_freep) Log *log = NULL;
        _cleanup_(log_recovery_deinit) LogRecovery recovery = {0};
        LogOptions options = {.segment_size = 4096, .random = *random};
        Error error = ERROR_NONE;
        int r;

        r = log_open(disk, &options, 0, 0, &log, &recovery, &error);
        if (r < 0 && error.text[0] == '\0')
                abort();
        return r < 0 ? r : (int)recovery.entries.length;
}

/* The bytes as the records of two batches whose checksums are right: so much for what only they keep out. */
static void seal(Buffer *segment, const uint8_t *data, size_t size) {
        static const char header[LOG_BATCH_HEADER];
        uint32_t chain = 0;

        for (uint64_t number = 1; number <= 2; number++) {
                size_t start = buffer_length(segment), from = number == 1 ? 0 : size / 2, to = number == 1 ? size / 2 : size;

                (void)buffer_append(segment, header, sizeof(header));
                if (number == 1) {
                        log_put_identity(segment, &(LogIdentity){1, 1});
                        log_put_position(segment, 0, 7);
                }
                (void)buffer_append(segment, data + from, to - from);
                if (log_batch_seal(segment, start, 3, number, chain, &chain) < 0)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_buffer_ Buffer segment = BUFFER_INIT;
        Random random;
        Disk *disk;
        int first;

        random_seed(&random, 1);
        disk = fake_disk_new(&random);
        if (!disk)
                return 0;
        if (size > 0 && data[0] % 2) {
                seal(&segment, data + 1, size - 1);
                data = (const uint8_t *)buffer_data(&segment);
                size = buffer_length(&segment);
        }
        put_file(disk, "log-0000000000000001", data, size);
        first = open_once(disk, &random);
        if (first >= 0 && open_once(disk, &random) != first)
                abort();
        put_file(disk, "log-0000000000000001", data, size);
        if (log_exists(disk) < 0)
                abort();
        fake_disk_free(disk);
        return 0;
}
