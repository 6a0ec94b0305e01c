-- SPDX-License-Identifier: MPL-2.0
-- Writes into each message who has submitted it, and removes what a client wrote there itself.
--
--   lua: ( { name = "submitted"; script = "/etc/gatepost/lua/add_header.lua"; } );
--   submission: { ... chain = [ "identity", ..., "lua:submitted", "dkim_sign" ]; };

local name = gate.params.field or "X-Submitted-By"

function message(facts, message)
    message:remove(name)
    if facts.login then
        message:add(name, facts.login)
    end
end
