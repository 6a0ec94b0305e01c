-- SPDX-License-Identifier: MPL-2.0
-- What the bench takes for a small script: all five hooks, a pattern, a new field.

local from_home = 0

function connect(facts)
    if gate.in_network(facts.client, "127.0.0.0/8") then
        from_home = from_home + 1
    end
end

function helo(facts)
    if facts.helo:find("^%[") then
        gate.refuse(550, "5.7.1", "give a name")
    end
end

function mail(facts)
    if facts.sender:lower():match("@bad%.example$") then
        gate.refuse(550, "5.7.1", "not from there")
    end
end

function rcpt(facts)
    if #facts.recipients > 50 then
        gate.refuse(452, "4.5.3", "too many")
    end
end

function message(facts, message)
    if (message:get("Subject") or ""):lower():find("you have won", 1, true) then
        gate.refuse(550, "5.7.1", "no")
    end
    message:add("X-Script", facts.client)
end
