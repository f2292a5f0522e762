#include "emulator/disk_log.h"

namespace usbtwin::emulator {

using wire::scsi::LogPage;
using wire::scsi::LogPageHeader;
using wire::scsi::LogParameterHeader;

namespace {

constexpr std::array kLogPages = {
    LogPage::kSupportedPages,         LogPage::kWriteErrors, LogPage::kReadErrors,
    LogPage::kVerifyErrors,           LogPage::kTemperature, LogPage::kStartStopCycles,
    LogPage::kInformationalExceptions};

// Parameters in ascending order of their codes, those below the first wanted left out.
class Parameters {
 public:
  explicit Parameters(uint16_t first_code) : first_code_(first_code) {}
  template <wire::WireStruct T>
  void Add(uint16_t code, uint8_t control, const T& value) {
    code_max_ = code;
    if (code < first_code_) return;
    reply_.Append(LogParameterHeader{.code = code, .control = control, .length = sizeof(value)});
    reply_.Append(value);
  }
  void AddCount(uint16_t code, uint32_t count) {
    Add(code, wire::scsi::kLogCounter, wire::Be32(count));
  }
  bool beyond() const { return first_code_ > code_max_; }
  Bytes view() const { return reply_.view(); }

 private:
  const uint16_t first_code_;
  uint16_t code_max_ = 0;
  Reply reply_;
};

// Error counter log pages. SPC-4, 7.3.
void AddErrors(const DiskLog::Counters& counters, Parameters& parameters) {
  parameters.AddCount(0x0003, 0);  // errors corrected
  parameters.Add(0x0005, wire::scsi::kLogCounter, wire::Be64(counters.length));
  parameters.AddCount(0x0006, counters.errors_count);
}

// There is no thermometer.
void AddTemperatures(Parameters& parameters) {
  constexpr std::array<uint8_t, 2> kUnknown = {0, wire::scsi::kTemperatureUnknown};
  parameters.Add(0x0000, wire::scsi::kLogList, kUnknown);
  parameters.Add(0x0001, wire::scsi::kLogList, kUnknown);  // the reference
}

void AddExceptions(bool tested, Parameters& parameters) {
  // ADDITIONAL SENSE CODE, its qualifier, temperature, vendor specific.
  std::array<uint8_t, 4> value = {0, 0, wire::scsi::kTemperatureUnknown, 0};
  if (tested) {  // failure prediction threshold exceeded (false)
    value[0] = 0x5d;
    value[1] = 0xff;
  }
  parameters.Add(0x0000, wire::scsi::kLogList, value);
}

void AppendHeader(uint8_t page, uint8_t subpage, size_t length, Reply& reply) {
  LogPageHeader header{};
  header.page_code = static_cast<uint8_t>(wire::scsi::kLogNeverSaved | page);
  if (subpage != 0) header.page_code |= wire::scsi::kLogHasSubpage;
  header.subpage = subpage;
  header.length = static_cast<uint16_t>(length);
  reply.Append(header);
}

void AppendPages(uint8_t subpage, Reply& reply) {
  const bool with_subpages = subpage != 0;
  // Beside the pages: the list with subpages is a subpage itself.
  const size_t count = kLogPages.size() + (with_subpages ? 1 : 0);
  AppendHeader(0, subpage, with_subpages ? 2 * count : count, reply);
  for (const LogPage page : kLogPages) {
    reply.Append(static_cast<uint8_t>(page));
    if (!with_subpages) continue;
    reply.Append(uint8_t{0});
    if (page != LogPage::kSupportedPages) continue;
    reply.Append(uint8_t{0});
    reply.Append(wire::scsi::kLogSubpagesAll);
  }
}

}  // namespace

std::optional<scsi::Sense> DiskLog::Append(const scsi::cdb::LogSense& what, bool exceptions_tested,
                                           Reply& reply) const {
  const auto page = static_cast<LogPage>(what.page);
  const bool lists = page == LogPage::kSupportedPages;
  if (what.subpage != 0 && !(lists && what.subpage == wire::scsi::kLogSubpagesAll)) {
    return scsi::InvalidFieldInCdb(3);
  }
  // There are cumulative values, but neither thresholds nor defaults.
  if (!lists && what.control != scsi::cdb::PageControl::kChangeable) {
    return scsi::InvalidFieldInCdb(2, 7);
  }
  Parameters parameters(what.parameter);
  switch (page) {
    case LogPage::kSupportedPages:
      if (what.parameter != 0) return scsi::InvalidFieldInCdb(5);
      AppendPages(what.subpage, reply);
      return std::nullopt;
    case LogPage::kWriteErrors: AddErrors(writes, parameters); break;
    case LogPage::kReadErrors: AddErrors(reads, parameters); break;
    case LogPage::kVerifyErrors: AddErrors(verifies, parameters); break;
    case LogPage::kTemperature: AddTemperatures(parameters); break;
    case LogPage::kStartStopCycles: parameters.AddCount(0x0004, starts_count); break;
    case LogPage::kInformationalExceptions: AddExceptions(exceptions_tested, parameters); break;
    default: return scsi::InvalidFieldInCdb(2, 5);
  }
  if (parameters.beyond()) return scsi::InvalidFieldInCdb(5);
  AppendHeader(what.page, 0, parameters.view().size(), reply);
  reply.Append(parameters.view());
  return std::nullopt;
}

}  // namespace usbtwin::emulator
