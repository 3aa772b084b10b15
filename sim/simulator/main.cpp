// twofold-simulator: runs cases on simulated machines; a server of cases for campaigns, and a tool
// for a person who studies one of them. docs/simulation.md.
#include "apps/arguments/arguments.hpp"
#include "apps/launch/status.hpp"
#include "sim/run/case_run.hpp"
#include "sim/run/catalogue.hpp"
#include "sim/simulator/difference.hpp"
#include "sim/simulator/single.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <sys/personality.h>
#include <unistd.h>

namespace twofold::sim {

namespace {

constexpr std::string_view usage =
    "twofold-simulator run WORKLOAD [OPTIONS]   one case (run --help)\n"
    "twofold-simulator diff A B                 where two recordings differ\n"
    "twofold-simulator --serve [OPTIONS]        a case a line, as JSON; an outcome a line\n"
    "twofold-simulator --describe               what can be run, as JSON\n";

/// Whatever comes of a case must not depend on these.
std::optional<int> parse_serve_options(int count, char const* const* arguments, Place& place) {
    unsigned fill = 0;
    Arguments known("twofold-simulator --serve", "Runs a case a line, as JSON.");
    known.add(
        {.name = "--window",
         .value_name = "N",
         .help = "the reserved address range in which machines lie",
         .take = number_in(place.window, 0u, hosted::window_count - 1),
         .default_text = "0"});
    known.add(
        {.name = "--fill",
         .value_name = "BYTE",
         .help = "what their memory holds at first",
         .take = number_in(fill, 0u, 255u),
         .default_text = "0"});
    auto const status = known.parse(count, arguments);
    place.fill = static_cast<std::byte>(fill);
    return status;
}

int serve(Place const& place) {
    Catalogue const& catalogue = own_catalogue();
    Machines machines(place);
    std::string line;
    while (std::getline(std::cin, line)) {
        auto const made = parse_case(line, catalogue);
        std::string answer;
        if (made) {
            try {
                answer = to_json(run_case(*made, nullptr, &machines));
            } catch (launch::Failure const& failure) {
                answer = to_json(CaseError{made->id, failure.what()});
            }
        } else {
            answer = to_json(made.error());
        }
        std::cout << answer << std::endl; // whoever asked waits for it
    }
    return 0;
}

/// Starts the program again where the host would lay out the process by chance. A kernel that is in
/// order never sees that; one that follows a wild pointer reads whatever the process has there, and
/// is to read the same each time. Where the host forbids it, the run goes on as it is.
void fix_addresses(char** arguments) {
    constexpr char const* keep = "TWOFOLD_RANDOM_ADDRESSES"; // for tests of what addresses change
    int const persona = personality(0xffff'ffff);            // asks
    if (getenv(keep) != nullptr || persona == -1 || (persona & ADDR_NO_RANDOMIZE) != 0 ||
        personality(static_cast<unsigned long>(persona) | ADDR_NO_RANDOMIZE) == -1 ||
        (personality(0xffff'ffff) & ADDR_NO_RANDOMIZE) == 0) {
        return;
    }
    execv("/proc/self/exe", arguments);
}

int dispatch(int count, char** arguments) {
    std::string_view const verb = count > 1 ? arguments[1] : "--help";
    if (verb == "run") {
        return run_single(count - 1, arguments + 1);
    }
    if (verb == "diff" && count == 4) {
        return show_difference(arguments[2], arguments[3]);
    }
    if (verb == "--serve") {
        Place place;
        auto const status = parse_serve_options(count - 1, arguments + 1, place);
        return status ? *status : serve(place);
    }
    if (verb == "--describe" && count == 2) {
        fmt::print("{}\n", describe(own_catalogue()));
        return 0;
    }
    bool const is_help = verb == "--help" || verb == "-h";
    fmt::print(is_help ? stdout : stderr, "{}", usage);
    return is_help ? 0 : static_cast<int>(launch::Status::usage);
}

} // namespace

} // namespace twofold::sim

int main(int count, char** arguments) {
    twofold::sim::fix_addresses(arguments);
    try {
        return twofold::sim::dispatch(count, arguments);
    } catch (twofold::launch::Failure const& failure) {
        fmt::print(stderr, "twofold-simulator: {}\n", failure.what());
        return static_cast<int>(failure.status());
    } catch (std::exception const& error) {
        fmt::print(stderr, "twofold-simulator: unexpected: {}\n", error.what());
        return static_cast<int>(twofold::launch::Status::crash);
    }
}
