// What a direct-access block device answers, whatever carries the commands. SPC-4 and SBC-3.
#include <algorithm>

#include "base/text.h"
#include "conform/bench.h"
#include "wire/scsi_data.h"

namespace usbtwin::conform {

namespace {

using scsi::Cdb;
using scsi::SenseKey;
using Answer = Bench::Answer;

constexpr uint32_t kInquiryLength = 36;
constexpr uint32_t kPageLengthMax = 252;

Cdb FromBytes(std::initializer_list<uint8_t> bytes) {
  Cdb cdb;
  std::copy(bytes.begin(), bytes.end(), cdb.bytes.begin());
  cdb.length = static_cast<uint8_t>(bytes.size());
  return cdb;
}

Finding NoMedium() {
  return Skip("there is no medium");
}

bool IsRefused(const Answer& answer, uint8_t asc) {
  return ExpectSense(answer, SenseKey::kIllegalRequest, asc, 0).empty();
}

std::string ExpectRefused(const Answer& answer, uint8_t asc) {
  return ExpectSense(answer, SenseKey::kIllegalRequest, asc, 0);
}

// ---- INQUIRY ----

async::Task<Finding> InquiryStandard(Bench& bench) {
  const Answer answer = co_await bench.Ask(scsi::Inquiry(false, 0, kInquiryLength), kInquiryLength);
  const std::string wrong = ExpectData(answer, kInquiryLength);
  if (!wrong.empty()) co_return Fail(wrong);
  const auto* data = wire::View<wire::scsi::StandardInquiry>(answer.data);
  if (data->additional_length < 31) {
    co_return Fail("ADDITIONAL LENGTH is " + std::to_string(data->additional_length) +
                   ", at least 31 is needed");
  }
  if ((data->response_format & 0x0f) != wire::scsi::kResponseFormat2) {
    co_return Fail("RESPONSE DATA FORMAT is not 2");
  }
  const auto printable = [](uint8_t byte) { return byte >= 0x20 && byte <= 0x7e; };
  const Bytes names = Bytes(answer.data).subspan(8);
  if (!std::all_of(names.begin(), names.end(), printable)) {
    co_return Fail("vendor, product or revision has characters beyond 20h to 7Eh");
  }
  co_return Pass();
}

async::Task<Finding> InquiryCut(Bench& bench) {
  const Answer whole = co_await bench.Ask(scsi::Inquiry(false, 0, kInquiryLength), kInquiryLength);
  const Answer cut = co_await bench.Ask(scsi::Inquiry(false, 0, 5), 5);
  const std::string wrong = ExpectData(cut, 5);
  if (!wrong.empty()) co_return Fail(wrong);
  if (!SameBytes(Bytes(whole.data).first(std::min<size_t>(5, whole.data.size())), cut.data)) {
    co_return Fail("the first 5 bytes differ from those of the whole answer");
  }
  co_return Pass();
}

async::Task<Finding> InquiryNothing(Bench& bench) {
  const Answer answer = co_await bench.Ask(scsi::Inquiry(false, 0, 0), 0);
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> InquiryPageWithoutVital(Bench& bench) {
  const Answer answer =
      co_await bench.Ask(scsi::Inquiry(false, 0x80, kPageLengthMax), kPageLengthMax);
  co_return Judge(ExpectRefused(answer, 0x24));
}

async::Task<Finding> VitalPages(Bench& bench) {
  const Answer list = co_await bench.Ask(scsi::Inquiry(true, 0, kPageLengthMax), kPageLengthMax);
  if (!list.good()) co_return Fail("page 00h: " + Describe(list));
  const auto* header = wire::View<wire::scsi::VpdHeader>(list.data);
  if (header == nullptr || list.data.size() != sizeof(*header) + header->length) {
    co_return Fail("page 00h does not have the length that it says");
  }
  const Bytes codes = Bytes(list.data).subspan(sizeof(*header));
  if (codes.empty() || codes[0] != 0) co_return Fail("page 00h does not list itself first");
  if (!std::is_sorted(codes.begin(), codes.end())) co_return Fail("page 00h is not in order");
  for (const uint8_t code : codes) {
    const Answer page =
        co_await bench.Ask(scsi::Inquiry(true, code, kPageLengthMax), kPageLengthMax);
    const std::string name = "page " + HexId(code).substr(2) + "h";
    if (!page.good()) co_return Fail(name + " is listed: " + Describe(page));
    const auto* head = wire::View<wire::scsi::VpdHeader>(page.data);
    if (head == nullptr || head->page_code != code) {
      co_return Fail(name + " does not have its PAGE CODE");
    }
  }
  for (const uint8_t mandatory : {uint8_t{0x00}, uint8_t{0x83}}) {
    if (std::find(codes.begin(), codes.end(), mandatory) == codes.end()) {
      co_return Fail("page " + HexId(mandatory).substr(2) + "h, which is mandatory, is missing");
    }
  }
  co_return Pass();
}

async::Task<Finding> VitalUnknown(Bench& bench) {
  // E0h to EFh are vendor specific; 7Fh is reserved.
  const Answer answer =
      co_await bench.Ask(scsi::Inquiry(true, 0x7f, kPageLengthMax), kPageLengthMax);
  co_return Judge(ExpectRefused(answer, 0x24));
}

// ---- Sense, LUNs, mode ----

async::Task<Finding> OpcodeUnknown(Bench& bench) {
  const Cdb reserved = FromBytes({0x1f, 0, 0, 0, 0, 0});
  const Answer answer = co_await bench.Ask(reserved, 0);
  co_return Judge(ExpectRefused(answer, 0x20));
}

async::Task<Finding> SenseNone(Bench& bench) {
  co_await bench.Ask(scsi::Inquiry(false, 0, kInquiryLength), kInquiryLength);
  const Answer answer = co_await bench.Ask(scsi::RequestSense(false, 18), 18);
  const std::string wrong = ExpectData(answer, 18);
  if (!wrong.empty()) co_return Fail(wrong);
  const std::optional<scsi::Sense> sense = scsi::ParseSense(answer.data);
  if (!sense) co_return Fail("no sense data in fixed or descriptor format");
  if (sense->key == SenseKey::kNoSense) co_return Pass();
  if (sense->key == SenseKey::kNotReady) co_return Skip("the unit is not ready");
  co_return Fail(std::string("the sense key is ") + scsi::Name(sense->key) +
                 " after a command that ended well");
}

async::Task<Finding> SenseDescriptor(Bench& bench) {
  const Answer answer = co_await bench.Ask(scsi::RequestSense(true, 252), 252);
  if (IsRefused(answer, 0x24)) co_return Skip("descriptor format is not supported");
  if (!answer.good()) co_return Fail(Describe(answer));
  if (answer.data.empty() || (answer.data[0] & 0x7e) != 0x72) {
    co_return Fail("DESC was set, and the answer is not in descriptor format");
  }
  co_return Pass();
}

async::Task<Finding> LunList(Bench& bench) {
  const Answer answer = co_await bench.Ask(scsi::ReportLuns(0, 256), 256);
  if (IsRefused(answer, 0x20)) co_return Skip("REPORT LUNS is not supported");
  if (!answer.good()) co_return Fail(Describe(answer));
  if (answer.data.size() < 8) co_return Fail("the answer is shorter than its header");
  uint32_t length = 0;
  for (size_t place = 0; place < 4; ++place) length = length << 8 | answer.data[place];
  if (length % 8 != 0) co_return Fail("LUN LIST LENGTH " + std::to_string(length));
  if (length < 248 && answer.data.size() != 8 + length) {
    co_return Fail(Count(answer.data.size(), "byte") + " came, and the list says " +
                   std::to_string(8 + length));
  }
  for (size_t place = 8; place + 8 <= answer.data.size(); place += 8) {
    const auto lun = static_cast<uint8_t>(answer.data[place + 1]);
    if (answer.data[place] == 0 && lun == bench.lun()) co_return Pass();
  }
  co_return Fail("LUN " + std::to_string(bench.lun()) + " is not in the list");
}

async::Task<Finding> ModeBoth(Bench& bench) {
  scsi::cdb::ModeSense what{.disable_block_descriptors = true, .page = 0x3f};
  what.allocation_length = kPageLengthMax;
  const Answer six = co_await bench.Ask(scsi::ModeSense6(what), kPageLengthMax);
  what.ten = true;
  const Answer ten = co_await bench.Ask(scsi::ModeSense10(what), kPageLengthMax);
  if (IsRefused(six, 0x20) || IsRefused(ten, 0x20)) {
    co_return Skip("only one of MODE SENSE(6) and (10) is supported");
  }
  if (!six.good()) co_return Fail("MODE SENSE(6): " + Describe(six));
  if (!ten.good()) co_return Fail("MODE SENSE(10): " + Describe(ten));
  if (six.data.size() < 4 || ten.data.size() < 8) co_return Fail("a header is missing");
  if (six.data[0] + 1u != six.data.size() || six.data[3] != 0) {
    co_return Fail("MODE SENSE(6): MODE DATA LENGTH or block descriptors are wrong");
  }
  if (SameBytes(Bytes(six.data).subspan(4), Bytes(ten.data).subspan(8))) co_return Pass();
  co_return Fail("the pages of MODE SENSE(6) and (10) differ");
}

async::Task<Finding> ModeUnknown(Bench& bench) {
  scsi::cdb::ModeSense what{.disable_block_descriptors = true, .page = 0x3e};
  what.allocation_length = kPageLengthMax;
  const Answer answer = co_await bench.Ask(scsi::ModeSense6(what), kPageLengthMax);
  if (IsRefused(answer, 0x20)) co_return Skip("MODE SENSE(6) is not supported");
  co_return Judge(ExpectRefused(answer, 0x24));
}

// ---- Blocks ----

async::Task<Finding> Capacity(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer ten = co_await bench.Ask(scsi::ReadCapacity10(), 8);
  const std::string wrong = ExpectData(ten, 8);
  if (!wrong.empty()) co_return Fail("READ CAPACITY(10): " + wrong);
  const Answer sixteen = co_await bench.Ask(scsi::ReadCapacity16(32), 32);
  if (IsRefused(sixteen, 0x20)) co_return Skip("READ CAPACITY(16) is not supported");
  if (!sixteen.good()) co_return Fail("READ CAPACITY(16): " + Describe(sixteen));
  const auto* small = wire::View<wire::scsi::Capacity10>(ten.data);
  const auto* large = wire::View<wire::scsi::Capacity16>(sixteen.data);
  if (large == nullptr) co_return Fail("READ CAPACITY(16) brought too few bytes");
  const uint64_t expected = std::min<uint64_t>(large->lba_final, UINT32_MAX);
  if (small->lba_final != expected || small->block_length != large->block_length) {
    co_return Fail("READ CAPACITY(10) and (16) differ");
  }
  co_return Pass();
}

async::Task<Finding> CheckBeyond(Bench& bench, Cdb cdb) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer answer = co_await bench.Ask(cdb, bench.block_size());
  if (IsRefused(answer, 0x20)) co_return Skip("the command is not supported");
  co_return Judge(ExpectRefused(answer, 0x21));
}

async::Task<Finding> Read10Beyond(Bench& bench) {
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("every address of READ(10) exists");
  const Cdb cdb = scsi::Read10(bench.blocks_count(), 1);
  const Finding found = co_await CheckBeyond(bench, cdb);
  co_return found;
}
async::Task<Finding> Read12Beyond(Bench& bench) {
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("every address of READ(12) exists");
  const Cdb cdb = scsi::Read12(bench.blocks_count(), 1);
  const Finding found = co_await CheckBeyond(bench, cdb);
  co_return found;
}
async::Task<Finding> Read16Beyond(Bench& bench) {
  const Cdb cdb = scsi::Read16(UINT64_MAX, 1);
  return CheckBeyond(bench, cdb);
}

// The last block can be read, and one more cannot.
async::Task<Finding> ReadAcrossEnd(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("the end is beyond READ(10)");
  const uint64_t last = bench.blocks_count() - 1;
  const Answer good = co_await bench.Ask(scsi::Read10(last, 1), bench.block_size());
  const std::string wrong = ExpectData(good, bench.block_size());
  if (!wrong.empty()) co_return Fail("the last block: " + wrong);
  const Answer bad = co_await bench.Ask(scsi::Read10(last, 2), 2 * bench.block_size());
  co_return Judge(ExpectRefused(bad, 0x21));
}

async::Task<Finding> CheckNothing(Bench& bench, Cdb cdb) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer answer = co_await bench.Ask(cdb, 0);
  if (IsRefused(answer, 0x20)) co_return Skip("the command is not supported");
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> Read10Nothing(Bench& bench) {
  const Cdb cdb = scsi::Read10(0, 0);
  return CheckNothing(bench, cdb);
}
async::Task<Finding> Read16Nothing(Bench& bench) {
  const Cdb cdb = scsi::Read16(0, 0);
  return CheckNothing(bench, cdb);
}
async::Task<Finding> VerifyNothing(Bench& bench) {
  const Cdb cdb = scsi::Verify10(0, 0, false);
  return CheckNothing(bench, cdb);
}
async::Task<Finding> VerifyBlocks(Bench& bench) {
  const Cdb cdb = scsi::Verify10(0, 1, false);
  return CheckNothing(bench, cdb);
}

async::Task<Finding> ReadsAgree(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer first = co_await bench.Ask(scsi::Read10(0, 1), bench.block_size());
  const std::string wrong = ExpectData(first, bench.block_size());
  if (!wrong.empty()) co_return Fail("READ(10): " + wrong);
  static constexpr std::array<const char*, 3> kNames{"READ(6)", "READ(12)", "READ(16)"};
  const std::array<Cdb, 3> cdbs{scsi::Read6(0, 1), scsi::Read12(0, 1), scsi::Read16(0, 1)};
  for (size_t index = 0; index < cdbs.size(); ++index) {
    const Cdb cdb = cdbs[index];
    const Answer other = co_await bench.Ask(cdb, bench.block_size());
    if (IsRefused(other, 0x20)) continue;
    const std::string bad = ExpectData(other, bench.block_size());
    if (!bad.empty()) co_return Fail(std::string(kNames[index]) + ": " + bad);
    if (other.data != first.data) {
      co_return Fail(std::string(kNames[index]) + " brings other bytes than READ(10)");
    }
  }
  co_return Pass();
}

async::Task<Finding> ReadProtected(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer inquiry =
      co_await bench.Ask(scsi::Inquiry(false, 0, kInquiryLength), kInquiryLength);
  if (inquiry.data.size() >= 6 && (inquiry.data[5] & 1) != 0) {
    co_return Skip("the unit has protection information");
  }
  const Cdb cdb = FromBytes({0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0});
  const Answer answer = co_await bench.Ask(cdb, bench.block_size());
  co_return Judge(ExpectRefused(answer, 0x24));
}

async::Task<Finding> Synchronize(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer answer = co_await bench.Ask(scsi::SynchronizeCache10(0, 0), 0);
  if (IsRefused(answer, 0x20)) co_return Skip("SYNCHRONIZE CACHE(10) is not supported");
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> SynchronizeBeyond(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("every address of the command exists");
  const Answer answer = co_await bench.Ask(scsi::SynchronizeCache10(bench.blocks_count(), 1), 0);
  if (IsRefused(answer, 0x20)) co_return Skip("SYNCHRONIZE CACHE(10) is not supported");
  co_return Judge(ExpectRefused(answer, 0x21));
}

// ---- Writes: what block 0 held is there again at the end ----

async::Task<Finding> WriteAndRead(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const uint32_t length = bench.block_size();
  const Answer held = co_await bench.Ask(scsi::Read10(0, 1), length);
  if (!held.good()) co_return Skip("block 0 cannot be read: " + Describe(held));
  std::vector<uint8_t> other = held.data;
  for (uint8_t& byte : other) byte = static_cast<uint8_t>(~byte);
  const Answer written = co_await bench.Tell(scsi::Write10(0, 1), other);
  if (ExpectSense(written, SenseKey::kDataProtect, 0x27, 0).empty()) {
    co_return Skip("the medium is write-protected");
  }
  const Answer again = co_await bench.Ask(scsi::Read10(0, 1), length);
  const Answer restored = co_await bench.Tell(scsi::Write10(0, 1), held.data);
  if (!written.good()) co_return Fail("WRITE(10): " + Describe(written));
  if (again.data != other) co_return Fail("what was written is not what is read");
  if (!restored.good()) co_return Fail("writing it back: " + Describe(restored));
  co_return Pass();
}

async::Task<Finding> WriteBeyond(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  if (bench.blocks_count() > UINT32_MAX) co_return Skip("every address of WRITE(10) exists");
  const std::vector<uint8_t> data(bench.block_size());
  const Answer answer = co_await bench.Tell(scsi::Write10(bench.blocks_count(), 1), data);
  if (ExpectSense(answer, SenseKey::kDataProtect, 0x27, 0).empty()) {
    co_return Skip("the medium is write-protected");
  }
  co_return Judge(ExpectRefused(answer, 0x21));
}

async::Task<Finding> WriteNothing(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer answer = co_await bench.Ask(scsi::Write10(0, 0), 0);
  if (ExpectSense(answer, SenseKey::kDataProtect, 0x27, 0).empty()) {
    co_return Skip("the medium is write-protected");
  }
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> VerifyCompares(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Answer held = co_await bench.Ask(scsi::Read10(0, 1), bench.block_size());
  if (!held.good()) co_return Skip("block 0 cannot be read: " + Describe(held));
  const Answer same = co_await bench.Tell(scsi::Verify10(0, 1, true), held.data);
  if (IsRefused(same, 0x20) || IsRefused(same, 0x24)) {
    co_return Skip("VERIFY with BYTCHK is not supported");
  }
  if (!same.good()) co_return Fail("the same bytes: " + Describe(same));
  std::vector<uint8_t> other = held.data;
  other.back() ^= 1;
  const Answer differs = co_await bench.Tell(scsi::Verify10(0, 1, true), other);
  co_return Judge(ExpectSense(differs, SenseKey::kMiscompare, 0x1d, 0));
}

constexpr Case kCases[] = {
    {"inquiry", "SPC-4, 6.6.2", "36 bytes of standard data, in format 2", false, InquiryStandard},
    {"inquiry-cut", "SPC-4, 4.2.5.6", "an allocation length of 5 cuts, and is no error", false,
     InquiryCut},
    {"inquiry-nothing", "SPC-4, 4.2.5.6", "an allocation length of 0 is no error", false,
     InquiryNothing},
    {"inquiry-page", "SPC-4, 6.6.1", "a page without EVPD is refused with 24h/00h", false,
     InquiryPageWithoutVital},
    {"vpd-pages", "SPC-4, 7.8", "page 00h lists pages that are there, 83h among them", false,
     VitalPages},
    {"vpd-unknown", "SPC-4, 6.6.1", "a page that is not there is refused with 24h/00h", false,
     VitalUnknown},
    {"opcode-unknown", "SPC-4, 4.3.1", "an unknown operation code is refused with 20h/00h", false,
     OpcodeUnknown},
    {"sense-none", "SPC-4, 6.39", "after a good command there is no sense", false, SenseNone},
    {"sense-descriptor", "SPC-4, 6.39", "DESC brings descriptor format, or is refused", false,
     SenseDescriptor},
    {"luns", "SPC-4, 6.33", "REPORT LUNS lists this unit", false, LunList},
    {"mode-both", "SPC-4, 6.11 and 6.12", "MODE SENSE(6) and (10) give the same pages", false,
     ModeBoth},
    {"mode-unknown", "SPC-4, 6.11", "a page that is not there is refused with 24h/00h", false,
     ModeUnknown},
    {"capacity", "SBC-3, 5.15 and 5.16", "READ CAPACITY(10) and (16) agree", false, Capacity},
    {"reads-agree", "SBC-3, 5.10 to 5.14", "READ(6), (10), (12) and (16) bring the same block",
     false, ReadsAgree},
    {"read10-beyond", "SBC-3, 4.4.2", "READ(10) behind the end is refused with 21h/00h", false,
     Read10Beyond},
    {"read12-beyond", "SBC-3, 4.4.2", "READ(12) behind the end is refused with 21h/00h", false,
     Read12Beyond},
    {"read16-beyond", "SBC-3, 4.4.2", "READ(16) at the last address is refused with 21h/00h", false,
     Read16Beyond},
    {"read-across", "SBC-3, 4.4.2", "the last block is read, and the one behind it is not", false,
     ReadAcrossEnd},
    {"read10-nothing", "SBC-3, 5.11", "READ(10) of no blocks is good", false, Read10Nothing},
    {"read16-nothing", "SBC-3, 5.13", "READ(16) of no blocks is good", false, Read16Nothing},
    {"read-protect", "SBC-3, 5.11", "RDPROTECT without protection is refused with 24h/00h", false,
     ReadProtected},
    {"verify", "SBC-3, 5.32", "VERIFY(10) of a block is good", false, VerifyBlocks},
    {"verify-nothing", "SBC-3, 5.32", "VERIFY(10) of no blocks is good", false, VerifyNothing},
    {"verify-compares", "SBC-3, 5.32", "BYTCHK passes the same bytes, and 1Dh/00h others", false,
     VerifyCompares},
    {"synchronize", "SBC-3, 5.27", "SYNCHRONIZE CACHE(10) of all is good", false, Synchronize},
    {"synchronize-beyond", "SBC-3, 5.27", "the same behind the end is refused with 21h/00h", false,
     SynchronizeBeyond},
    {"write-read", "SBC-3, 5.35", "what WRITE(10) wrote is read", true, WriteAndRead},
    {"write-beyond", "SBC-3, 4.4.2", "WRITE(10) behind the end is refused with 21h/00h", true,
     WriteBeyond},
    {"write-nothing", "SBC-3, 5.35", "WRITE(10) of no blocks is good", true, WriteNothing},
};

}  // namespace

Suite ScsiSuite() {
  return {"scsi", "what a direct-access block device answers", PrepareUnit, kCases};
}

}  // namespace usbtwin::conform
