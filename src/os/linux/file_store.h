// A disk's bytes in an image file or a block device. Its one promise: a full or failing file system
// becomes an outcome, never a signal, and a flush is answered only after fdatasync has returned.
//
//   read   lends pages of the mapped file that are resident; else the helper thread reads them in
//          first, further ahead the more sequential the reading is
//   write  pwrite on the loop's thread: the page cache takes it, an error is an outcome
//   flush  fdatasync on the helper. After it failed once, Linux marks the lost pages clean and
//          would report success from then on; so every later flush of this store fails like the
//          first. What was not flushed may be gone, and only opening the image anew ends that.
//   unmap  punches a hole on the helper, or writes zeros; what overlaps it waits until it is done
//
// Where there is no memory or no helper thread to be had, the operation fails, and the next one may
// succeed.
//
// Opened by System::OpenImage and by tests. All operations must be answered, and all leases
// dropped, before the store goes; the destructor CHECKs it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/system.h"
#include "emulator/pin_pool.h"
#include "os/linux/bus_guard.h"
#include "os/linux/file_io.h"
#include "os/linux/image_file.h"
#include "os/linux/worker.h"

namespace usbtwin::os {

class FileStore final : public emulator::BlockStore {
 public:
  static Result<std::unique_ptr<FileStore>, app::Failure> Open(Loop& loop, Worker& worker,
                                                               const std::string& path,
                                                               const app::ImageOptions& options);
  FileStore(Loop& loop, Worker& worker, ImageFile image);
  FileStore(const FileStore&) = delete;
  FileStore& operator=(const FileStore&) = delete;
  ~FileStore() override;

  uint64_t size() const override { return image_.size; }
  bool writable() const override { return image_.writable; }
  bool Submit(emulator::StoreOp& op) override;
  emulator::StoreExtent ExtentAt(uint64_t offset) const override { return io_.ExtentAt(offset); }

  // How many reads had to go through the helper thread: what reading ahead is to keep low.
  uint64_t helped_reads_count() const { return helped_reads_count_; }

 private:
  // One operation on the helper thread.
  struct HelperJob final : Job {
    explicit HelperJob(FileStore& store_in) : store(store_in) {}
    void Work() override { store.WorkOn(*this); }
    void HandleHome() override { store.HandleHome(*this); }
    bool Overlaps(const emulator::StoreOp& other) const {
      return offset < other.offset + other.length && other.offset < offset + length;
    }

    FileStore& store;
    emulator::StoreOp* op = nullptr;  // null: the job is free
    emulator::StoreOp::Kind kind{};
    uint64_t offset = 0;
    uint64_t length = 0;
    ReadAhead ahead;             // kRead
    bool stale = false;          // kRead: a write changed the range meanwhile
    uint64_t written_count = 0;  // kFlush: changes it covers
    Lease copy;                  // kRead: the bytes, where they could not be lent
    emulator::StoreOutcome outcome{};
  };

  bool Start(emulator::StoreOp& op);
  bool StartRead(emulator::StoreOp& op);
  bool StartFlush(emulator::StoreOp& op);
  bool StartUnmap(emulator::StoreOp& op);
  emulator::StoreOutcome Write(const emulator::StoreOp& op);
  // As Submit: true where it was answered at once, for want of memory or of a thread.
  bool SubmitJob(emulator::StoreOp& op, ReadAhead ahead = {});
  HelperJob* FreeJob();  // null without memory
  bool WaitsForUnmap(const emulator::StoreOp& op) const;
  ReadAhead PlanAhead(const emulator::StoreOp& op);
  Lease LendMapped(uint64_t offset, uint64_t length);

  void WorkOn(HelperJob& job);  // the helper's thread
  void HandleHome(HelperJob& job);
  void HandleReadHome(HelperJob& job, emulator::StoreOp& op);
  void HandleUnmapHome();
  void Answer(emulator::StoreOp& op, emulator::StoreOutcome outcome);

  Loop& loop_;
  Worker& worker_;
  const ImageFile image_;
  const FileIo io_;
  const std::unique_ptr<GuardedMapping> mapping_;  // null: everything is read into copies
  emulator::PinPool pins_;

  std::vector<std::unique_ptr<HelperJob>> jobs_;  // as many as were ever away at once
  size_t jobs_away_count_ = 0;
  IntrusiveList<emulator::StoreOp> waiting_;  // for an unmap that overlaps them

  uint64_t written_count_ = 1;  // changes; not 0, as others may have changed the file before
  uint64_t flushed_count_ = 0;  // changes that are on the medium
  std::optional<emulator::StoreOutcome> flush_failure_;
  uint64_t sequential_offset_ = 0;  // where the last read ended
  uint64_t helped_reads_count_ = 0;
};

}  // namespace usbtwin::os
