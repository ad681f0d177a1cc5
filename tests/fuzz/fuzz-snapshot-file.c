/* Any bytes as a snapshot's file: what is read to its end is what a writer would have written. */
#include "store/log/fake-disk.h"
#include "store/log/snapshot-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SnapshotWriter *writer;
        SnapshotFile *file;
        Random random;
        DiskJob *job;
        Slice piece;
        Disk *disk;
        int r;

        random_seed(&random, 1);
        disk = fake_disk_new(&random);
        if (!disk || snapshot_writer_new_received(disk, 1, 1, &writer) < 0)
                abort();
        if (snapshot_writer_add(writer, (Slice){(const char *)data, size}) < 0 || snapshot_writer_begin(writer, true, &job) < 0)
                abort();
        r = snapshot_writer_end(writer, job->run(job));
        snapshot_writer_free(writer);
        if (r >= 0) { /* it got its name: it must be readable */
                if (snapshot_file_open(disk, "snapshot-0000000000000001-0000000000000001", &file, NULL) < 0)
                        abort();
                while ((r = snapshot_file_next(file, &piece, NULL)) > 0)
                        ;
                if (r < 0)
                        abort();
                snapshot_file_close(file);
        }
        fake_disk_free(disk);
        return 0;
}
