#include "link/uas_watch.h"

#include <algorithm>

#include "link/transfer_data.h"
#include "usb/descriptors.h"
#include "wire/usb.h"

namespace usbtwin::link {

using fault::CommandContext;
using wire::View;
using wire::uas::CommandIu;
using wire::uas::Header;
using wire::uas::IuId;
using wire::usb::DescriptorType;

// ---- The pipes --------------------------------------------------------------------------------

void UasWatch::Observe(const usb::Transfer& transfer) {
  if (!transfer.setup || transfer.outcome != usb::Outcome::kOk) return;
  const usb::SetupPacket& setup = *transfer.setup;
  const bool reads = setup.request_type == wire::usb::kDirectionIn &&
                     setup.request == static_cast<uint8_t>(wire::usb::Request::kGetDescriptor);
  if (!reads || setup.value >> 8 != static_cast<int>(DescriptorType::kConfiguration)) return;
  Learn(Take(Bytes(transfer.in), transfer.length_actual));
}

void UasWatch::Learn(Bytes bytes) {
  const auto* configuration = View<wire::usb::ConfigurationDescriptor>(bytes);
  // Hosts read the first nine bytes as well.
  if (configuration == nullptr || bytes.size() < configuration->total_length) return;
  const uint8_t value = configuration->value;
  std::erase_if(settings_, [value](const Setting& one) { return one.configuration == value; });
  Setting setting{.configuration = value};
  usb::EndpointAddress endpoint;
  const auto keep = [&] {
    const auto absent = [](usb::EndpointAddress pipe) { return pipe.value == 0; };
    if (std::none_of(setting.pipes.begin(), setting.pipes.end(), absent)) {
      settings_.push_back(setting);
    }
  };
  usb::DescriptorWalk walk(Take(bytes, configuration->total_length));
  while (const std::optional<Bytes> descriptor = walk.Next()) {
    const auto type = static_cast<DescriptorType>((*descriptor)[1]);
    const auto* interface = View<wire::usb::InterfaceDescriptor>(*descriptor);
    const auto* pipe = View<wire::usb::EndpointDescriptor>(*descriptor);
    const auto* usage = View<wire::usb::PipeUsageDescriptor>(*descriptor);
    if (type == DescriptorType::kInterface && interface != nullptr) {
      keep();
      setting = {.configuration = value,
                 .interface = interface->number,
                 .alternate = interface->alternate_setting};
      endpoint = {};
    } else if (type == DescriptorType::kEndpoint && pipe != nullptr) {
      endpoint = usb::EndpointAddress{pipe->address};
    } else if (type == DescriptorType::kPipeUsage && usage != nullptr &&
               descriptor->size() == sizeof(*usage)) {
      const unsigned place = usage->pipe_id - 1u;
      if (place < setting.pipes.size()) setting.pipes[place] = endpoint;
    }
  }
  keep();
  Choose();
}

void UasWatch::HandleConfigured(uint8_t configuration) {
  configuration_ = configuration;
  chosen_.clear();
  HandleReset();
  Choose();
}

void UasWatch::HandleAlternate(uint8_t interface, uint8_t alternate_setting) {
  std::erase_if(chosen_, [interface](const Chosen& one) { return one.interface == interface; });
  chosen_.push_back({.interface = interface, .alternate = alternate_setting});
  HandleReset();
  Choose();
}

void UasWatch::Choose() {
  pipes_.fill(UasPipe::kNone);
  for (const Setting& setting : settings_) {
    if (configuration_ && *configuration_ != setting.configuration) continue;
    const auto choice = std::find_if(chosen_.begin(), chosen_.end(), [&](const Chosen& one) {
      return one.interface == setting.interface;
    });
    if (setting.alternate != (choice == chosen_.end() ? 0 : choice->alternate)) continue;
    for (size_t place = 0; place < setting.pipes.size(); ++place) {
      pipes_[setting.pipes[place].index()] = static_cast<UasPipe>(place + 1);
    }
  }
}

// ---- The conversation -------------------------------------------------------------------------

void UasWatch::HandleReset() {
  commands_.clear();
  for (std::vector<uint16_t>& tags : granted_) tags.clear();
  moving_ = {};
}

uint16_t UasWatch::HandleSubmit(const usb::Transfer& transfer) {
  const UasPipe pipe = PipeOf(transfer.endpoint);
  if (pipe == UasPipe::kCommand) {
    Begin(transfer.out);
    return TagOf(transfer.out);
  }
  if (pipe == UasPipe::kStatus || transfer.stream_id != 0) return transfer.stream_id;
  const size_t way = pipe == UasPipe::kDataIn ? 0 : 1;
  if (!granted_[way].empty()) {
    moving_[way] = granted_[way].front();
    granted_[way].erase(granted_[way].begin());
  }
  return moving_[way];
}

void UasWatch::Begin(Bytes bytes) {
  const auto* iu = View<CommandIu>(bytes);
  if (iu == nullptr || iu->header.id != static_cast<uint8_t>(IuId::kCommand)) return;
  End(iu->header.tag);
  if (commands_.size() == kCommandsMax) commands_.erase(commands_.begin());
  commands_.push_back(fault::ContextOf(Bytes(iu->command_block),
                                       static_cast<uint8_t>(wire::uas::DecodeLun(iu->lun)),
                                       iu->header.tag));
}

void UasWatch::End(uint16_t tag) {
  std::erase_if(commands_, [tag](const CommandContext& command) { return command.tag == tag; });
  for (std::vector<uint16_t>& tags : granted_) std::erase(tags, tag);
}

std::vector<CommandContext> UasWatch::TakeManaged(const wire::uas::TaskManagementIu& iu) {
  using wire::uas::TaskFunction;
  const auto function = static_cast<TaskFunction>(iu.function);
  const bool one = function == TaskFunction::kAbortTask;
  const bool all = function == TaskFunction::kNexusReset;
  const bool unit = function == TaskFunction::kAbortTaskSet ||
                    function == TaskFunction::kClearTaskSet ||
                    function == TaskFunction::kLogicalUnitReset;
  const auto lun = static_cast<uint8_t>(wire::uas::DecodeLun(iu.lun));
  std::vector<CommandContext> taken;
  for (const CommandContext& command : commands_) {
    const bool named = (one && command.tag == iu.task_tag) || (unit && command.lun == lun) || all;
    if (named) taken.push_back(command);
  }
  for (const CommandContext& command : taken) End(static_cast<uint16_t>(command.tag));
  return taken;
}

void UasWatch::HandleIu(Bytes iu) {
  if (IsLast(iu)) return End(TagOf(iu));
  const std::optional<size_t> way = WayOf(iu);
  if (!way || Find(TagOf(iu)) == nullptr) return;
  std::vector<uint16_t>& tags = granted_[*way];
  if (tags.size() == kCommandsMax) tags.erase(tags.begin());
  tags.push_back(TagOf(iu));
}

const CommandContext* UasWatch::Find(uint16_t tag) const {
  const auto found =
      std::find_if(commands_.begin(), commands_.end(),
                   [tag](const CommandContext& command) { return command.tag == tag; });
  return tag == 0 || found == commands_.end() ? nullptr : &*found;
}

uint16_t UasWatch::OtherThan(uint16_t tag) const {
  for (const CommandContext& command : commands_) {
    if (command.tag != tag) return static_cast<uint16_t>(command.tag);
  }
  return 0;
}

UasWatch::Iu::Iu(const usb::Transfer& transfer) : length_(CopyData(transfer, room_)) {}

uint16_t UasWatch::TagOf(Bytes iu) {
  const auto* header = View<Header>(iu);
  return header == nullptr ? uint16_t{0} : static_cast<uint16_t>(header->tag);
}

std::optional<size_t> UasWatch::WayOf(Bytes iu) {
  const auto* header = View<Header>(iu);
  if (header == nullptr) return std::nullopt;
  const auto id = static_cast<IuId>(header->id);
  if (id == IuId::kReadReady) return 0;
  if (id == IuId::kWriteReady) return 1;
  return std::nullopt;
}

bool UasWatch::IsLast(Bytes iu) {
  const auto* header = View<Header>(iu);
  if (header == nullptr) return false;
  const auto id = static_cast<IuId>(header->id);
  return id == IuId::kSense || id == IuId::kResponse;
}

}  // namespace usbtwin::link
