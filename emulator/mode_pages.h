// ModePages: the mode pages of a disk with their current, default and saved values, and which of
// their bits a host may change. MODE SENSE reads them, MODE SELECT changes all it names or nothing.
// Saved values outlive a reset, and are what it goes back to; they end with the disk. SPC-4, 5.10
// and 7.5; SBC-3, 6.5. Used by Disk.
#pragma once

#include <span>
#include <vector>

#include "emulator/disk_options.h"
#include "emulator/reply.h"
#include "proto/scsi_command.h"

namespace usbtwin::emulator {

class ModePages {
 public:
  explicit ModePages(const DiskOptions& options);

  // Appends the page, or all of them in ascending order. False: there is no such page.
  bool Append(uint8_t page_code, scsi::cdb::PageControl control, Reply& reply) const;
  // Takes over the pages that begin `offset` bytes into a parameter list. What is refused changes
  // nothing; otherwise it says whether a current value is another now.
  Result<bool, scsi::Sense> Select(Bytes list, size_t offset, bool save);
  void Reset();  // the saved values are the current ones

  bool write_cache() const;        // WCE
  bool descriptor_sense() const;   // D_SENSE
  bool write_protected() const;    // SWP
  bool exceptions_tested() const;  // TEST, where REQUEST SENSE is to report it

 private:
  static constexpr size_t kLengthMax = 20;
  struct Page {
    template <class Layout>
    Page(wire::scsi::ModePage code, Layout values, Layout changeable_in);
    bool operator==(const Page&) const = default;
    uint8_t code() const { return current[0] & wire::scsi::kModePageCodeMask; }

    size_t length;  // bytes, with its header
    std::array<uint8_t, kLengthMax> current{};
    std::array<uint8_t, kLengthMax> defaults{};
    std::array<uint8_t, kLengthMax> saved{};
    std::array<uint8_t, kLengthMax> changeable{};
  };

  enum Place : uint8_t { kCaching, kControl, kExceptions };

  template <class Layout>
  const Layout& Current(Place place) const;
  static std::optional<scsi::Sense> TakeOver(Bytes values, size_t offset, Page& page);

  std::vector<Page> pages_;  // by Place, which is the order of their codes
};

}  // namespace usbtwin::emulator
