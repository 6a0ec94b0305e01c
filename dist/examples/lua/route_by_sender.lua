-- SPDX-License-Identifier: MPL-2.0
-- Chooses the upstream by the sender: a table has addresses, or domains as "@example.com", and
-- behind each the name of an upstream. Who is not in it goes where the chain's upstream is.
--
--   lua: ( { name = "route"; script = "/etc/gatepost/lua/route_by_sender.lua";
--            params = [ "table=file:/etc/gatepost/routes" ]; } );
--   submission: { ... chain = [ "lua:route", "identity", ... ]; };
--
-- /etc/gatepost/routes:
--   newsletter@example.com   bulk
--   @example.org             second-mta

local routes = gate.table(gate.params.table)

function mail(facts)
    local sender = facts.sender:lower()
    local domain = sender:match("@[^@]*$")
    local upstream = routes:get(sender) or (domain and routes:get(domain))

    if upstream then
        gate.route(upstream)
    end
end
