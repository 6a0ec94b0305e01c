-- SPDX-License-Identifier: MPL-2.0
-- Refuses messages by their Subject: the words of params, "word=...", without case, anywhere in it.
--
--   lua: ( { name = "block_subject"; script = "/etc/gatepost/lua/block_subject.lua";
--            params = [ "word1=you have won", "word2=crypto giveaway" ]; } );
--   inbound: { ... chain = [ ..., "lua:block_subject" ]; };

function message(facts, message)
    local subject = (message:get("Subject") or ""):lower()
    for _, word in pairs(gate.params) do
        if subject:find(word:lower(), 1, true) then
            gate.note("blocked", facts.client)
            gate.refuse(550, "5.7.1", "the subject of this message is not taken here")
        end
    end
end
