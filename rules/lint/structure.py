"""What stands where in an event: the documented envelope and CloudTrail record, and the facts.

Sources: EventBridge guide, 'Events'; EventBridge reference, 'CloudFormation events', 'Amazon S3 events', 'AWS Health
events'; CloudTrail guide, 'CloudTrail record contents' and 'userIdentity element'; the API references for the
parameters of the watched calls. AWS adds fields, and what is under ``requestParameters`` is each service's own, so
that a path which is not in these tables may still exist: ``Structure.FREE`` says where.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rules.fact_schema import FACTS, FactKind, fact_at


class Structure(StrEnum):
    """What an event has at a path."""

    TEXT = "a text"
    NUMBER = "a number"
    FLAG = "true or false"
    FLAG_TEXT = 'the text "true" or "false"'
    TEXTS = "an array of texts"
    OBJECT = "an object"
    OBJECTS = "an array of objects"
    FREE = "an object of free content"


_KINDS: Final = {
    "#": Structure.NUMBER, "?": Structure.FLAG, "~": Structure.FLAG_TEXT, "[]": Structure.TEXTS,
    "{}": Structure.OBJECT, "[{}]": Structure.OBJECTS, "*": Structure.FREE,
}  # fmt: skip

# One path a word: ``path:kind``, a text where no kind stands; ``!`` in front of one that is always there.
_ENVELOPE: Final = """
    !version !id !detail-type !source !account !time !region resources:[] replay-name !detail:{} facts:{}
"""
_RECORD: Final = """
    !eventVersion !eventTime !eventSource !eventName !awsRegion !eventID sourceIPAddress userAgent errorCode errorMessage
    requestID eventType apiVersion managementEvent:? readOnly:? recipientAccountId sharedEventID vpcEndpointId
    vpcEndpointAccountId eventCategory sessionCredentialFromConsole:~ requestParameters:* responseElements:*
    additionalEventData:* serviceEventDetails:* eventContext:* edgeDeviceDetails:* insightDetails:*
    resources:[{}] resources.ARN resources.arn resources.accountId resources.type resources.ARNPrefix
    addendum:{} addendum.reason addendum.updatedFields addendum.originalRequestID addendum.originalEventID
    tlsDetails:{} tlsDetails.tlsVersion tlsDetails.cipherSuite tlsDetails.clientProvidedHostHeader tlsDetails.keyExchange
    userIdentity:{} userIdentity.type userIdentity.principalId userIdentity.arn userIdentity.accountId
    userIdentity.accessKeyId userIdentity.userName userIdentity.invokedBy userIdentity.identityProvider
    userIdentity.credentialId userIdentity.onBehalfOf:{} userIdentity.onBehalfOf.userId
    userIdentity.onBehalfOf.identityStoreArn userIdentity.inScopeOf:* userIdentity.sessionContext:{}
    userIdentity.sessionContext.sourceIdentity userIdentity.sessionContext.ec2RoleDelivery
    userIdentity.sessionContext.assumedRoot:~ userIdentity.sessionContext.attributes:{}
    userIdentity.sessionContext.attributes.creationDate userIdentity.sessionContext.attributes.mfaAuthenticated:~
    userIdentity.sessionContext.sessionIssuer:{} userIdentity.sessionContext.sessionIssuer.type
    userIdentity.sessionContext.sessionIssuer.principalId userIdentity.sessionContext.sessionIssuer.arn
    userIdentity.sessionContext.sessionIssuer.accountId userIdentity.sessionContext.sessionIssuer.userName
    userIdentity.sessionContext.webIdFederationData:{}
    userIdentity.sessionContext.webIdFederationData.federatedProvider
    userIdentity.sessionContext.webIdFederationData.attributes:*
"""
# What events have under ``detail`` that no API call is behind.
_STATUS_CHANGES: Final = """
    stack-id client-request-token status-details:{} status-details.status status-details.status-reason
    logical-resource-id physical-resource-id resource-type resource-properties:* stack-set-arn
    stack-set-operation-id action detailed-status stack-drift-detection-id drift-detection-details:*
    version bucket:{} bucket.name object:{} object.key object.size:# object.etag object.version-id object.sequencer
    request-id requester source-ip-address reason deletion-type
    eventArn service eventScopeCode eventTypeCode eventTypeCategory startTime endTime lastUpdatedTime statusCode
    eventRegion communicationId page totalPages eventDescription:* affectedEntities:* affectedAccount
"""
_REQUEST: Final = """
    omitted:? originalSize:# reason dryRun:? tableName targetTableName sourceTableName resourceArn globalTableName backupArn
    deletionProtectionEnabled:? replicaUpdates:[{}] globalSecondaryIndexUpdates:[{}] streamSpecification:{}
    streamSpecification.streamEnabled:? streamSpecification.streamViewType timeToLiveSpecification:{}
    timeToLiveSpecification.enabled:? timeToLiveSpecification.attributeName pointInTimeRecoverySpecification:{}
    pointInTimeRecoverySpecification.pointInTimeRecoveryEnabled:?
    pointInTimeRecoverySpecification.recoveryPeriodInDays:# policy billingMode tableClass attributeDefinitions:[{}]
    keySchema:[{}] provisionedThroughput:{} provisionedThroughput.readCapacityUnits:#
    provisionedThroughput.writeCapacityUnits:# tags:[{}] tableCreationParameters:{} tableCreationParameters.tableName
    stackName clientRequestToken roleARN retainResources:[] deletionMode enableTerminationProtection:? stackSetName
    accounts:[] regions:[] retainStacks:? operationId changeSetName templateURL capabilities:[] parameters:[{}]
    disableRollback:? bucketName key versionId VersioningConfiguration:{} VersioningConfiguration.Status Host
    keyId pendingWindowInDays:# name trailName eventSelectors:[{}] advancedEventSelectors:[{}] rule ids:[] eventBusName
    state scheduleExpression eventPattern queueUrl functionName qualifier backupVaultName recoveryPointArn
"""
_RESPONSE: Final = """
    tableDescription:{} tableDescription.tableName tableDescription.tableArn tableDescription.tableId
    tableDescription.tableStatus tableDescription.itemCount:# tableDescription.tableSizeBytes:#
    tableDescription.deletionProtectionEnabled:? tableDescription.creationDateTime backupDescription:{}
    backupDescription.backupDetails:{} backupDescription.backupDetails.backupArn stackId deletionDate keyState ruleArn
    pointInTimeRecoveryDescription:* continuousBackupsDescription:* keyId pendingWindowInDays:#
"""


def _table() -> tuple[dict[str, Structure], frozenset[str]]:
    table: dict[str, Structure] = {}
    always: set[str] = set()
    for prefix, words in (
        ("", _ENVELOPE), ("detail.", _RECORD), ("detail.", _STATUS_CHANGES),
        ("detail.requestParameters.", _REQUEST), ("detail.responseElements.", _RESPONSE),
    ):  # fmt: skip
        for word in words.split():
            path, _, kind = word.removeprefix("!").partition(":")
            table[prefix + path] = _KINDS.get(kind, Structure.TEXT)
            if word.startswith("!"):
                always.add(prefix + path)
    return table, frozenset(always)


DOCUMENTED, _ALWAYS = _table()
_OF_FACTS: Final = {
    FactKind.TEXT: Structure.TEXT, FactKind.NUMBER: Structure.NUMBER, FactKind.FLAG: Structure.FLAG,
    FactKind.TEXTS: Structure.TEXTS, FactKind.MAP: Structure.OBJECT,
}  # fmt: skip
# Facts that the event may lack without anybody having failed to look them up.
_SOMETIMES: Final = frozenset({"actor.mfa", "resource.key", "net.part"})
FACTS_PREFIX: Final = "facts."


def structure_at(path: str) -> Structure | None:
    """What stands at a dotted path; None where the tables do not say."""
    if path.startswith(FACTS_PREFIX):
        name = path.removeprefix(FACTS_PREFIX)
        fact = fact_at(name)
        if fact is not None:
            return Structure.TEXT if name != fact.path else _OF_FACTS[fact.kind]
        return Structure.OBJECT if any(one.path.startswith(name + ".") for one in FACTS) else None
    return DOCUMENTED.get(path)


def is_always_there(path: str) -> bool:
    """Whether every event that is judged has something at the path."""
    fact = fact_at(path.removeprefix(FACTS_PREFIX)) if path.startswith(FACTS_PREFIX) else None
    if fact is not None:
        return not fact.looked_up and fact.path not in _SOMETIMES
    return path in _ALWAYS


def array_above(path: str) -> str | None:
    """The array of objects that a path leads through, as far as the tables know."""
    parts = path.split(".")
    above = (".".join(parts[:count]) for count in range(1, len(parts)))
    return next((one for one in above if DOCUMENTED.get(one) is Structure.OBJECTS), None)


def is_free(path: str) -> bool:
    """Whether a path leads into content that only the service it comes from documents."""
    parts = path.split(".")
    kinds = [DOCUMENTED.get(".".join(parts[:count])) for count in range(1, len(parts))]
    return Structure.FREE in kinds or (Structure.OBJECTS in kinds and "resources" not in parts)
