// MODE SENSE of a Disk: header, block descriptor and the three pages it has. Nothing can be
// changed or saved, so the changeable pages are all zeros and there are no saved ones.
#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::cdb::PageControl;
using wire::scsi::ModePage;
using wire::scsi::ModePageHeader;

namespace {

constexpr uint8_t kSubpageAll = 0xff;

template <class Page>
void AppendPage(ModePage code, Page page, PageControl control, Reply& reply) {
  if (control == PageControl::kChangeable) page = Page{};
  page.header = {static_cast<uint8_t>(code), sizeof(Page) - sizeof(ModePageHeader)};
  reply.Append(page);
}

wire::scsi::CachingPage CachingOf(const DiskOptions& options) {
  wire::scsi::CachingPage page{};
  if (options.write_cache) page.flags2 = wire::scsi::kWriteCacheEnabled;
  return page;
}

wire::scsi::ControlPage ControlOf() {
  wire::scsi::ControlPage page{};
  page.flags2 = wire::scsi::kGlobalLogSaveDisable;
  page.queueing = wire::scsi::kUnrestrictedReordering;
  page.busy_timeout_max = uint16_t{0xffff};
  return page;
}

wire::scsi::ExceptionsPage ExceptionsOf() {
  wire::scsi::ExceptionsPage page{};
  page.flags2 = wire::scsi::kExceptionsDisabled;
  return page;
}

}  // namespace

void Disk::Run(Command& command, const scsi::cdb::ModeSense& what) {
  if (what.control == PageControl::kSaved) {  // saving parameters not supported
    return Fail(command, {.key = scsi::SenseKey::kIllegalRequest, .asc = 0x39});
  }
  if (what.subpage != 0 && what.subpage != kSubpageAll) {
    return Fail(command, scsi::InvalidFieldInCdb(3));
  }
  Reply body;
  const uint16_t descriptor_length = AppendBlockDescriptor(what, body);
  if (!AppendModePages(what, body)) return Fail(command, scsi::InvalidFieldInCdb(2, 5));

  const auto device_specific = static_cast<uint8_t>(
      wire::scsi::kModeDpoFua | (write_protected() ? wire::scsi::kModeWriteProtected : 0));
  Reply reply;
  if (what.ten) {
    wire::scsi::ModeHeader10 header{};
    header.data_length = static_cast<uint16_t>(sizeof(header) - 2 + body.length());
    header.device_specific = device_specific;
    if (descriptor_length == sizeof(wire::scsi::LongBlockDescriptor)) {
      header.flags4 = wire::scsi::kLongLba;
    }
    header.block_descriptor_length = descriptor_length;
    reply.Append(header);
  } else {
    wire::scsi::ModeHeader6 header{};
    header.data_length = static_cast<uint8_t>(sizeof(header) - 1 + body.length());
    header.device_specific = device_specific;
    header.block_descriptor_length = static_cast<uint8_t>(descriptor_length);
    reply.Append(header);
  }
  reply.Append(body.view());
  Answer(command, reply, what.allocation_length);
}

uint16_t Disk::AppendBlockDescriptor(const scsi::cdb::ModeSense& what, Reply& reply) const {
  if (what.disable_block_descriptors) return 0;
  const bool inside = medium_ == Medium::kReady || medium_ == Medium::kStopped;
  const uint64_t blocks_count = inside ? blocks_count_ : 0;
  if (what.long_lba) {
    wire::scsi::LongBlockDescriptor descriptor{};
    descriptor.blocks_count = blocks_count;
    descriptor.block_length = options_.block_size;
    reply.Append(descriptor);
    return sizeof(descriptor);
  }
  wire::scsi::BlockDescriptor descriptor{};
  descriptor.blocks_count = static_cast<uint32_t>(std::min<uint64_t>(blocks_count, UINT32_MAX));
  descriptor.block_length = options_.block_size;
  reply.Append(descriptor);
  return sizeof(descriptor);
}

// One page, or all of them in ascending order. False for a page the disk does not have.
bool Disk::AppendModePages(const scsi::cdb::ModeSense& what, Reply& reply) const {
  const auto wanted = static_cast<ModePage>(what.page);
  const bool all = wanted == ModePage::kAll;
  const uint32_t length_before = reply.length();
  if (all || wanted == ModePage::kCaching) {
    AppendPage(ModePage::kCaching, CachingOf(options_), what.control, reply);
  }
  if (all || wanted == ModePage::kControl) {
    AppendPage(ModePage::kControl, ControlOf(), what.control, reply);
  }
  if (all || wanted == ModePage::kInformationalExceptions) {
    AppendPage(ModePage::kInformationalExceptions, ExceptionsOf(), what.control, reply);
  }
  return reply.length() != length_before;
}

}  // namespace usbtwin::emulator
