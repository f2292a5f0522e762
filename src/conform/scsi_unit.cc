// What a unit says of itself: INQUIRY, sense, LUNs, mode pages. SPC-4.
#include "conform/scsi_cases.h"

#include <algorithm>

#include "base/text.h"
#include "wire/scsi_data.h"

namespace usbtwin::conform {

namespace {

using Answer = Bench::Answer;
using scsi::Cdb;
using scsi::SenseKey;

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
  const Cdb reserved = CdbOf({0x1f, 0, 0, 0, 0, 0});
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
  if (IsRefused(answer, 0x20)) co_return NotSupported("REPORT LUNS");
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
};

}  // namespace

std::span<const Case> ScsiUnitCases() {
  return kCases;
}

}  // namespace usbtwin::conform
