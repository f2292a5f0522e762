// What an Exporter answers on its control socket.
#include <nlohmann/json.hpp>

#include "app/exporter.h"
#include "base/text.h"

namespace usbtwin::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;

std::string Line(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

Json Refusal(const Failure& failure) {
  Json json;
  json["schema"] = kSchema;
  json["ok"] = false;
  json["error"] = {{"kind", Name(failure.kind)}, {"text", failure.text}};
  return json;
}

Failure BadRequest(const std::string& text) {
  return {Failure::Kind::kUsage, text};
}

// kUsage where it is not there, or is something else.
Result<std::string, Failure> TextIn(const Json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end()) return BadRequest("the request has no " + Quote(key));
  if (found->is_string()) return found->get<std::string>();
  // What holds others is not shown: writing it down is recursive, and it may be deep.
  return BadRequest(Quote(key) + " is no string: " +
                    (found->is_primitive() ? found->dump() : found->type_name()));
}

}  // namespace

async::Task<std::string> Exporter::Answer(std::string line) {
  const Json request = Json::parse(line, nullptr, false);
  if (request.is_discarded() || !request.is_object()) {
    co_return Line(Refusal(BadRequest("a request is one JSON object in one line")));
  }
  const Result<std::string, Failure> verb = TextIn(request, "request");
  if (!verb) co_return Line(Refusal(verb.error()));
  if (*verb == "status") co_return StatusLine();
  Json reply;
  reply["schema"] = kSchema;
  reply["ok"] = true;
  if (*verb == "plug") {
    Result<std::string, Failure> device = TextIn(request, "device");
    if (!device) co_return Line(Refusal(device.error()));
    const Result<std::string, Failure> bus_id = co_await OpenAndPlug(std::move(*device));
    if (!bus_id) co_return Line(Refusal(bus_id.error()));
    reply["bus_id"] = *bus_id;
    co_return Line(reply);
  }
  if (*verb == "unplug") {
    const Result<std::string, Failure> bus_id = TextIn(request, "bus_id");
    if (!bus_id) co_return Line(Refusal(bus_id.error()));
    const std::string refusal = Unplug(*bus_id);
    co_return Line(refusal.empty() ? reply : Refusal(BadRequest(refusal)));
  }
  co_return Line(
      Refusal(BadRequest("no request is called " + Quote(*verb) + ": plug, unplug or status")));
}

namespace {

Json LimitsJson(const async::UsbIpLimits& limits) {
  const auto milliseconds = [](Duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  };
  Json json;
  json["connections_max"] = limits.connections_max;
  json["handshakes_max"] = limits.handshakes_max;
  json["handshake_ms"] = milliseconds(limits.handshake_time);
  json["urbs_max"] = limits.urbs_max;
  json["urb_length_max"] = limits.urb_length_max;
  json["urb_bytes_max"] = limits.urb_bytes_max;
  json["reply_bytes_max"] = limits.reply_bytes_max;
  json["stop_ms"] = milliseconds(limits.stop_time);
  return json;
}

Json PeerJson(const async::UsbIpConnectionStatus& status) {
  Json json;
  json["peer"] = status.peer;
  json["bus_id"] = status.bus_id.empty() ? Json(nullptr) : Json(status.bus_id);
  json["urbs_under_way"] = status.urbs_under_way;
  json["bytes_held"] = status.bytes_held;
  json["bytes_spare"] = status.bytes_spare;
  json["reply_bytes"] = status.reply_bytes;
  return json;
}

}  // namespace

std::string Exporter::StatusLine() const {
  Json json;
  json["schema"] = kSchema;
  json["ok"] = true;
  json["limits"] = LimitsJson(server_.limits());
  json["connections"] = server_.connections_count();
  json["handshakes"] = server_.handshakes_count();
  json["peers"] = Json::array();
  for (const async::UsbIpConnectionStatus& status : server_.connections()) {
    json["peers"].push_back(PeerJson(status));
  }
  json["devices"] = Json::array();
  for (const async::UsbIpDeviceStatus& status : server_.devices()) {
    const auto found = devices_.find(status.device.bus_id);
    Json device;
    device["bus_id"] = status.device.bus_id;
    device["device"] = found == devices_.end() ? "" : found->second->text;
    device["vendor_id"] = HexId(status.device.vendor_id);
    device["product_id"] = HexId(status.device.product_id);
    device["speed"] = usb::Name(status.device.speed);
    device["imported_by"] = status.peer.empty() ? Json(nullptr) : Json(status.peer);
    device["imports"] = status.imports;
    device["urbs"] = status.urbs;
    device["urbs_under_way"] = status.urbs_under_way;
    device["bytes_held"] = status.bytes_held;
    device["bytes_spare"] = status.bytes_spare;
    device["bytes_in"] = status.bytes_in;
    device["bytes_out"] = status.bytes_out;
    device["unlinks"] = status.unlinks;
    device["refused"] = status.refused;
    json["devices"].push_back(std::move(device));
  }
  return Line(json);
}

}  // namespace usbtwin::app
