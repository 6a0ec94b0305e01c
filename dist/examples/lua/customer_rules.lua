-- SPDX-License-Identifier: MPL-2.0
-- A rule of its own for each customer, from a table: behind the login stand words like "max=20"
-- (recipients of a message), "only=example.net" (a domain that it may write to; may stand there
-- several times) and "hours=8-18" (when it may send, local time). Who is not in it has no rule.
--
--   lua: ( { name = "customers"; script = "/etc/gatepost/lua/customer_rules.lua";
--            params = [ "table=file:/etc/gatepost/customers" ]; } );
--   submission: { ... chain = [ "identity", "lua:customers", ... ]; };
--
-- /etc/gatepost/customers:
--   shop@example.com     max=5 only=example.net only=example.org
--   office@example.com   hours=8-18

local customers = gate.table(gate.params.table)

-- rules_of - a table of lists by word, or nil.
local function rules_of(login)
    local words = login and customers:values(login:lower())
    if not words then
        return nil
    end
    local rules = { max = {}, only = {}, hours = {} }
    for _, word in ipairs(words) do
        local key, value = word:match("^(%l+)=(.+)$")
        if not rules[key] then
            gate.fail("the rule \"" .. word .. "\" of " .. login .. " cannot be read")
        end
        table.insert(rules[key], value)
    end
    return rules
end

function mail(facts)
    local rules = rules_of(facts.login)
    local first, last = ((rules and rules.hours[1]) or "0-24"):match("^(%d+)-(%d+)$")
    local hour = gate.date().hour

    if not first then
        gate.fail("the hours of " .. facts.login .. " cannot be read")
    elseif hour < tonumber(first) or hour >= tonumber(last) then
        gate.refuse(450, "4.7.1", "you may send from " .. first .. " to " .. last .. " o'clock")
    end
end

function rcpt(facts)
    local rules = rules_of(facts.login)
    local domain = facts.recipient:lower():match("@([^@]*)$")

    if not rules then
        return
    end
    if rules.max[1] and #facts.recipients >= tonumber(rules.max[1]) then
        gate.refuse(452, "4.5.3", "you may send to " .. rules.max[1] .. " recipients at once")
    end
    for _, allowed in ipairs(rules.only) do
        if domain == allowed then
            return
        end
    end
    if #rules.only > 0 then
        gate.refuse(550, "5.7.1", "you may send to " .. table.concat(rules.only, ", ") .. " only")
    end
end
