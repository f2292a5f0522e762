#include "sim/request_mix.h"

#include <algorithm>
#include <array>

namespace usbtwin::sim {

Request RequestMix::Draw(MutableBytes room) {
  Request request;
  request.lun = static_cast<uint8_t>(chooser_.Choose(models_.size(), "which unit"));
  const uint64_t what = chooser_.Choose(100, "which command");
  if (what < swarm_.reads_percent) {
    request.kind = Request::Kind::kRead;
  } else if (what < swarm_.reads_percent + swarm_.writes_percent) {
    request.kind = Request::Kind::kWrite;
  } else {
    static constexpr std::array<Request::Kind, 9> kRest{
        Request::Kind::kSynchronize, Request::Kind::kSynchronize, Request::Kind::kVerify,
        Request::Kind::kCapacity,    Request::Kind::kOther,       Request::Kind::kOther,
        Request::Kind::kOther,       Request::Kind::kOther,       Request::Kind::kOdd};
    request.kind = kRest[chooser_.Choose(kRest.size(), "which other command")];
  }
  Build(request, room);
  return request;
}

void RequestMix::DrawRange(Request& request) {
  const ModelDisk& model = models_[request.lun];
  const uint64_t exponent = chooser_.Choose(swarm_.blocks_exponent_max + 1, "how long");
  const uint64_t blocks_max = std::min(uint64_t{1} << exponent, model.blocks_count());
  request.blocks = static_cast<uint32_t>(chooser_.Between(1, blocks_max, "how many blocks"));
  request.lba = chooser_.Choose(model.blocks_count() - request.blocks + 1, "which block");
  request.length = request.blocks * model.block_size();
}

void RequestMix::Build(Request& request, MutableBytes room) {
  switch (request.kind) {
    case Request::Kind::kRead: return BuildRead(request);
    case Request::Kind::kWrite: return BuildWrite(request, room);
    case Request::Kind::kSynchronize:
      request.cdb = scsi::SynchronizeCache10(0, 0);
      if (chooser_.Choose(4, "which form") != 0) return;
      DrawRange(request);
      request.length = 0;
      request.cdb = scsi::SynchronizeCache16(request.lba, request.blocks);
      return;
    case Request::Kind::kVerify:
      DrawRange(request);
      request.length = 0;
      request.cdb = scsi::Verify10(request.lba, request.blocks, false);
      return;
    case Request::Kind::kCapacity:
      request.cdb = scsi::ReadCapacity10();
      request.length = 8;
      if (chooser_.Choose(4, "which form") != 0) return;
      request.cdb = scsi::ReadCapacity16(32);
      request.length = 32;
      return;
    case Request::Kind::kOther: return BuildQuestion(request);
    case Request::Kind::kOdd: return BuildOdd(request);
  }
}

void RequestMix::BuildRead(Request& request) {
  DrawRange(request);
  const uint64_t form = chooser_.Choose(16, "which form");
  request.lent = form % 2 == 1 && !swarm_.usbip;  // USB/IP lends nothing
  request.force_unit_access = form >= 13;
  const scsi::Caching caching{.force_unit_access = request.force_unit_access};
  request.cdb = form % 8 == 0             ? scsi::Read16(request.lba, request.blocks)
                : form == 2 || form == 14 ? scsi::Read12(request.lba, request.blocks, caching)
                : form % 8 == 4           ? scsi::Read6(request.lba, request.blocks)
                : form == 13              ? scsi::Read16(request.lba, request.blocks, caching)
                                          : scsi::Read10(request.lba, request.blocks, caching);
}

void RequestMix::BuildWrite(Request& request, MutableBytes room) {
  DrawRange(request);
  const uint64_t form = chooser_.Choose(16, "which form");
  request.force_unit_access = form >= 13 || form == 1;
  request.out = request.writes = true;
  const scsi::Caching caching{.force_unit_access = request.force_unit_access};
  request.cdb = form % 8 == 0             ? scsi::Write16(request.lba, request.blocks)
                : form == 2 || form == 14 ? scsi::Write12(request.lba, request.blocks, caching)
                : form % 8 == 4           ? scsi::Write6(request.lba, request.blocks)
                : form == 13              ? scsi::Write16(request.lba, request.blocks, caching)
                                          : scsi::Write10(request.lba, request.blocks, caching);
  request.version = models_[request.lun].FillNew(request.lba, room.first(request.length));
}

// What a sane host seldom says: ranges that end nowhere or hold nothing, and what nobody knows.
void RequestMix::BuildOdd(Request& request) {
  const uint64_t blocks_count = models_[request.lun].blocks_count();
  const uint64_t past = blocks_count + chooser_.Choose(8, "how far past the end");
  const auto blocks = static_cast<uint32_t>(chooser_.Between(1, 256, "how many blocks"));
  const ExpectedSense out_of_range{scsi::SenseKey::kIllegalRequest, 0x21, 0x00, Place::kFirst};
  switch (chooser_.Choose(10, "which odd command")) {
    case 0: request.cdb = scsi::Read10(0, 0); return;
    case 1: request.cdb = scsi::Verify10(blocks_count - 1, 0, false); return;
    case 2:
      request.cdb = scsi::Write10(blocks_count, 0);
      request.writes = true;
      return;
    case 3:
      request.needs_medium = false;
      request.cdb = scsi::StartStopUnit({.start = true});
      return;
    case 4:
      request.needs_medium = false;
      request.cdb = scsi::TestUnitReady();
      request.cdb.bytes[0] = 0xc1;  // vendor specific
      request.refusal =
          ExpectedSense{scsi::SenseKey::kIllegalRequest, 0x20, 0x00, Place::kNone, true};
      return;
    case 5:
      request.needs_medium = false;
      request.lun = static_cast<uint8_t>(chooser_.Between(models_.size(), 15, "which absent unit"));
      request.refusal = ExpectedSense{scsi::SenseKey::kIllegalRequest, 0x25, 0x00};
      request.cdb = scsi::TestUnitReady();
      return;
    case 6: request.cdb = scsi::Verify10(past, blocks, false); break;
    case 7: request.cdb = scsi::SynchronizeCache10(past, blocks); break;
    case 8:
      request.cdb = scsi::Read10(past, blocks);
      request.length = blocks * models_[request.lun].block_size();
      break;
    default:
      request.cdb = scsi::Write10(past, blocks);
      request.length = blocks * models_[request.lun].block_size();
      request.out = request.writes = true;
      break;
  }
  request.refusal = out_of_range;
  request.lba = past;
  request.blocks = blocks;
  request.refusal_block = past;
}

void RequestMix::BuildQuestion(Request& request) {
  const uint64_t question = chooser_.Choose(6, "which question");
  request.needs_medium = question == 0;
  switch (question) {
    case 0: request.cdb = scsi::TestUnitReady(); return;
    case 1:
      request.cdb = scsi::Inquiry(false, 0, 36);
      request.length = 36;
      return;
    case 2:
      request.cdb = scsi::ModeSense6({.page = 0x3f, .allocation_length = 192});
      request.length = 192;
      return;
    case 3:
      request.cdb = scsi::Inquiry(true, 0x80, 64);  // the serial number
      request.length = 64;
      return;
    case 4:
      request.cdb = scsi::RequestSense(false, 18);
      request.length = 18;
      return;
    default:
      request.cdb = scsi::ReportLuns(0, 64);
      request.length = 64;
      return;
  }
}

}  // namespace usbtwin::sim
