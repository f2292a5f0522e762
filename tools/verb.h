// The verbs of usbtwin. Each lives in its cmd_<verb>.cc, adds its subcommand and options to the
// command line, and leaves the work to be done in `chosen` when it is the one that was written.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "app/failure.h"

namespace usbtwin::tools {

// What to run once the command line is read; its value is the exit status.
using Chosen = std::function<int()>;

void AddAttachVerb(CLI::App& cli, Chosen& chosen);
void AddBenchVerb(CLI::App& cli, Chosen& chosen);
void AddConformVerb(CLI::App& cli, Chosen& chosen);
void AddDetachVerb(CLI::App& cli, Chosen& chosen);
void AddDiskVerb(CLI::App& cli, Chosen& chosen);
void AddDumpVerb(CLI::App& cli, Chosen& chosen);
void AddFaultsVerb(CLI::App& cli, Chosen& chosen);
void AddGadgetVerb(CLI::App& cli, Chosen& chosen);
void AddInfoVerb(CLI::App& cli, Chosen& chosen);
void AddListVerb(CLI::App& cli, Chosen& chosen);
void AddPortsVerb(CLI::App& cli, Chosen& chosen);
void AddRequestVerbs(CLI::App& cli, Chosen& chosen);  // plug, unplug, status
void AddServeVerb(CLI::App& cli, Chosen& chosen);
void AddSimVerb(CLI::App& cli, Chosen& chosen);

// Adds a subcommand whose options are an Options, run by `run(const Options&)`. CLI11 writes into
// the options long after this returned, and the verb reads them later still: hence shared_ptr.
template <class Options, class Configure>
CLI::App* AddVerb(CLI::App& parent, Chosen& chosen, const char* name, const char* help,
                  Configure configure, int (*run)(const Options&)) {
  const auto options = std::make_shared<Options>();
  CLI::App* verb = parent.add_subcommand(name, help);
  verb->footer("usbtwin --help lists devices, examples and exit codes.");
  configure(*verb, *options);
  verb->callback([options, run, &chosen] { chosen = [options, run] { return run(*options); }; });
  return verb;
}

// Prints "usbtwin disk read: text" and returns the exit status for it. Whoever asked for JSON gets
// the failure as an object, too, on standard output; not where a result was printed there before.
int Fail(const std::string& verb, const app::Failure& failure, bool json = false);

}  // namespace usbtwin::tools
