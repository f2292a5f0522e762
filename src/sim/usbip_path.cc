#include "sim/usbip_path.h"

#include "app/export_device.h"

namespace usbtwin::sim {

UsbIpPath::UsbIpPath(World& world, usb::Bus& inner, usb::DeviceId id,
                     const UsbIpPathOptions& options)
    : world_(world),
      inner_(inner),
      inner_id_(std::move(id)),
      pipes_(world, options.pipes),
      server_(world, options.limits,
              [this](const std::string& line) {
                if (log_.size() == kLogMax) log_.erase(log_.begin());
                log_.push_back(line);
              }),
      bus_(world, pipes_, kAddress, options.bus) {}

bool UsbIpPath::Start(uint64_t steps_max) {
  async::Job<Result<async::UsbIpExport>> job(
      world_, app::DescribeExport(world_, inner_, inner_id_, {.bus_id = kBusId}));
  const auto finished = world_.RunUntil([&job] { return job.done(); }, steps_max);
  CHECK(finished.has_value());
  Result<async::UsbIpExport> exported = job.result();
  if (!exported) {
    error_ = exported.error().Describe();
    return false;
  }
  const Result<void> added = server_.Add(std::move(*exported));
  CHECK(added.has_value());
  auto listener = pipes_.Listen(kAddress);
  CHECK(listener.has_value());
  server_.Serve(std::move(*listener), {});
  return true;
}

std::string UsbIpPath::Describe() const {
  if (idle()) return "";
  return "has " + std::to_string(server_.connections_count()) + " connections" +
         (log_.empty() ? "" : ", and last told: " + log_.back());
}

}  // namespace usbtwin::sim
