#include "emulator/mode_pages.h"

#include <algorithm>
#include <bit>

namespace usbtwin::emulator {

using scsi::Sense;
using scsi::cdb::PageControl;
using wire::scsi::CachingPage;
using wire::scsi::ControlPage;
using wire::scsi::ExceptionsPage;
using wire::scsi::ModePage;
using wire::scsi::ModePageHeader;

namespace {

CachingPage CachingOf(const DiskOptions& options) {
  CachingPage page{};
  if (options.write_cache) page.flags2 = wire::scsi::kWriteCacheEnabled;
  return page;
}

// Commands of others that PREEMPT AND ABORT ends are told so by their status: TAS.
ControlPage ControlOf() {
  ControlPage page{};
  page.flags2 = wire::scsi::kGlobalLogSaveDisable;
  page.queueing = wire::scsi::kUnrestrictedReordering;
  page.flags5 = wire::scsi::kTaskAbortedStatus;
  page.busy_timeout_max = uint16_t{0xffff};
  return page;
}

ExceptionsPage ExceptionsOf() {
  ExceptionsPage page{};
  page.flags2 = wire::scsi::kExceptionsDisabled;
  return page;
}

CachingPage ChangeableCaching() {
  CachingPage page{};
  page.flags2 = wire::scsi::kWriteCacheEnabled;
  return page;
}

ControlPage ChangeableControl() {
  ControlPage page{};
  page.flags2 = wire::scsi::kDescriptorSense;
  page.flags4 = wire::scsi::kSoftwareWriteProtect;
  return page;
}

ExceptionsPage ChangeableExceptions() {
  ExceptionsPage page{};
  page.flags2 = wire::scsi::kExceptionsDisabled | wire::scsi::kExceptionsTest;
  page.method = 0x0f;
  return page;
}

// What the bits of a page that may be changed can be together. Bytes of the page.
std::optional<Sense> Judge(Bytes values, size_t offset) {
  const auto place = [offset](size_t byte) { return static_cast<uint16_t>(offset + byte); };
  const uint8_t code = values[0] & wire::scsi::kModePageCodeMask;
  if (code != static_cast<uint8_t>(ModePage::kInformationalExceptions)) return std::nullopt;
  const auto& page = *wire::View<ExceptionsPage>(values);
  constexpr uint8_t kBoth = wire::scsi::kExceptionsDisabled | wire::scsi::kExceptionsTest;
  if ((page.flags2 & kBoth) == kBoth) return scsi::InvalidFieldInList(place(2), 2);
  // Other ways of reporting would make commands fail for nothing.
  if (page.method != 0 && page.method != wire::scsi::kExceptionsOnRequest) {
    return scsi::InvalidFieldInList(place(3), 3);
  }
  return std::nullopt;
}

}  // namespace

template <class Layout>
ModePages::Page::Page(ModePage code, Layout values, Layout changeable_in) : length(sizeof(Layout)) {
  static_assert(sizeof(Layout) <= kLengthMax);
  const ModePageHeader header{
      .page_code = static_cast<uint8_t>(wire::scsi::kModeSavable | static_cast<uint8_t>(code)),
      .length = sizeof(Layout) - sizeof(ModePageHeader)};
  values.header = header;
  changeable_in.header = header;
  wire::Emit(MutableBytes(defaults), values);
  wire::Emit(MutableBytes(changeable), changeable_in);
  current = saved = defaults;
}

ModePages::ModePages(const DiskOptions& options) {
  pages_.emplace_back(ModePage::kCaching, CachingOf(options), ChangeableCaching());
  pages_.emplace_back(ModePage::kControl, ControlOf(), ChangeableControl());
  pages_.emplace_back(ModePage::kInformationalExceptions, ExceptionsOf(), ChangeableExceptions());
}

bool ModePages::Append(uint8_t page_code, PageControl control, Reply& reply) const {
  bool found = false;
  for (const Page& page : pages_) {
    if (page_code != page.code() && page_code != static_cast<uint8_t>(ModePage::kAll)) continue;
    found = true;
    const auto& bytes = [&]() -> const std::array<uint8_t, kLengthMax>& {
      switch (control) {
        case PageControl::kCurrent: break;
        case PageControl::kChangeable: return page.changeable;
        case PageControl::kDefault: return page.defaults;
        case PageControl::kSaved: return page.saved;
      }
      return page.current;
    }();
    reply.Append(Bytes(bytes).first(page.length));
  }
  return found;
}

Result<bool, Sense> ModePages::Select(Bytes list, size_t offset, bool save) {
  std::vector<Page> pages = pages_;
  while (offset < list.size()) {
    const Bytes rest = list.subspan(offset);
    const auto* header = wire::View<ModePageHeader>(rest);
    if (header == nullptr) return scsi::ListLengthError();
    const auto place = static_cast<uint16_t>(offset);
    if ((header->page_code & 0x40) != 0) return scsi::InvalidFieldInList(place, 6);  // SPF
    const uint8_t code = header->page_code & wire::scsi::kModePageCodeMask;
    const auto found = std::find_if(pages.begin(), pages.end(),
                                    [code](const Page& page) { return page.code() == code; });
    if (found == pages.end()) return scsi::InvalidFieldInList(place, 5);
    const size_t length = sizeof(*header) + header->length;
    if (length != found->length) {
      return scsi::InvalidFieldInList(static_cast<uint16_t>(place + 1));
    }
    if (rest.size() < length) return scsi::ListLengthError();
    if (const auto sense = TakeOver(rest.first(length), offset, *found)) return *sense;
    offset += length;
  }
  bool changed = false;
  for (size_t index = 0; index < pages.size(); ++index) {
    changed = changed || pages[index].current != pages_[index].current;
    if (save) pages[index].saved = pages[index].current;
  }
  pages_ = std::move(pages);
  return changed;
}

std::optional<Sense> ModePages::TakeOver(Bytes values, size_t offset, Page& page) {
  for (size_t index = sizeof(ModePageHeader); index < values.size(); ++index) {
    const auto fixed = static_cast<uint8_t>((values[index] ^ page.current[index]) &
                                            ~unsigned{page.changeable[index]});
    if (fixed == 0) continue;
    return scsi::InvalidFieldInList(static_cast<uint16_t>(offset + index),
                                    static_cast<uint8_t>(std::bit_width(fixed) - 1));
  }
  if (const auto sense = Judge(values, offset)) return sense;
  constexpr size_t kHeaderLength = sizeof(ModePageHeader);
  CopyBytes(MutableBytes(page.current).subspan(kHeaderLength), Drop(values, kHeaderLength));
  return std::nullopt;
}

void ModePages::Reset() {
  for (Page& page : pages_) page.current = page.saved;
}

template <class Layout>
const Layout& ModePages::Current(Place place) const {
  return *wire::View<Layout>(Bytes(pages_[place].current));
}

bool ModePages::write_cache() const {
  return (Current<CachingPage>(kCaching).flags2 & wire::scsi::kWriteCacheEnabled) != 0;
}

bool ModePages::descriptor_sense() const {
  return (Current<ControlPage>(kControl).flags2 & wire::scsi::kDescriptorSense) != 0;
}

bool ModePages::write_protected() const {
  return (Current<ControlPage>(kControl).flags4 & wire::scsi::kSoftwareWriteProtect) != 0;
}

bool ModePages::exceptions_tested() const {
  const auto& page = Current<ExceptionsPage>(kExceptions);
  return (page.flags2 & wire::scsi::kExceptionsTest) != 0 &&
         page.method == wire::scsi::kExceptionsOnRequest;
}

}  // namespace usbtwin::emulator
